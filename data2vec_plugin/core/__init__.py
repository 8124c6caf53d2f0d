"""The data2vec method: student, teacher, targets, loss. Imports torch and NumPy, never fairseq."""
