package kernels

// signDown brings the sign of eight codes from the highest bit to its place.
func signDown(w uint64) uint64 { return w&0x1f1f1f1f1f1f1f1f | w>>2&0x2020202020202020 }

// isSix reports whether the format is one of six bits, packed or not.
func (f Format) isSix() bool { return formats[f].bits == 6 || formats[f].width == 6 }
