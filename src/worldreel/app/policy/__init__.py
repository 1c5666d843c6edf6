"""What may be asked for, who may be shown, and a record of both that shows tampering."""
