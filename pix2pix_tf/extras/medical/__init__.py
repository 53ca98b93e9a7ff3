"""DICOM by pydicom and NIfTI by nibabel (extra [medical])."""
