"""The data2vec method: student, teacher, targets, loss. Imports torch only, never fairseq."""
