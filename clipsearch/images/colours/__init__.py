"""Convert the colours of pictures to sRGB: modes, colour profiles, and colours described by numbers."""
