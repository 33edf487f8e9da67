package kernels

import (
	"encoding/binary"
)

// Codes of six bits, four to three bytes. Their bytes are made of codes that have
// one each, eight at a time in a word.

// packSixes packs codes; their two highest bits do not count.
func packSixes(dst, src []byte) {
	for len(src) >= 8 && len(dst) >= 8 {
		binary.LittleEndian.PutUint64(dst, packEight(binary.LittleEndian.Uint64(src)&0x3f3f3f3f3f3f3f3f))
		dst, src = dst[6:], src[8:]
	}
	for i := range dst {
		dst[i] = 0
	}
	for i, c := range src {
		w := uint16(c&0x3f) << (6 * i % 8)
		dst[6*i/8] |= byte(w)
		if w > 0xff {
			dst[6*i/8+1] |= byte(w >> 8)
		}
	}
}

// packEight packs the codes of a word's bytes.
func packEight(w uint64) uint64 {
	w = w&0x003f003f003f003f | w&0x3f003f003f003f00>>2 // twelve bits in each sixteen
	w = w&0x00000fff00000fff | w&0x0fff00000fff0000>>4 // twenty-four in each thirty-two
	return w&0xffffff | w>>32<<24
}

// unpackSixes is the inverse; the sign of a signed code is repeated.
func unpackSixes(dst, src []byte, signed bool) {
	flip := uint64(0)
	if signed {
		flip = 0x2020202020202020
	}
	for len(dst) >= 8 && len(src) >= 8 {
		w := binary.LittleEndian.Uint64(src)
		w = w&0xffffff | w<<8&0x00ffffff00000000
		w = w&0x00000fff00000fff | w<<4&0x0fff00000fff0000
		w = w&0x003f003f003f003f | w<<2&0x3f003f003f003f00
		binary.LittleEndian.PutUint64(dst, repeatSigns(w, flip))
		dst, src = dst[8:], src[6:]
	}
	for i := range dst {
		w := uint16(src[6*i/8])
		if 6*i/8+1 < len(src) {
			w |= uint16(src[6*i/8+1]) << 8
		}
		dst[i] = byte(repeatSigns(uint64(w>>(6*i%8)&0x3f), flip&0xff))
	}
}

// repeatSigns brings the sign of codes of six bits to the two bits above it, where
// flip has bit 5; all of a byte's numbers are below 64.
func repeatSigns(w, flip uint64) uint64 {
	s := w & flip
	return w | s<<1 | s<<2
}

// signDown brings the sign of eight codes from the highest bit to its place.
func signDown(w uint64) uint64 { return w&0x1f1f1f1f1f1f1f1f | w>>2&0x2020202020202020 }

// isSix reports whether the format is one of six bits, packed or not.
func (f Format) isSix() bool { return formats[f].bits == 6 || formats[f].width == 6 }
