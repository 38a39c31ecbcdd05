"""Classes of the family that mmengine builds."""
