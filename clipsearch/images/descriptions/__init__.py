"""What people and their programs have written about a picture, in its file and in its sidecars."""
