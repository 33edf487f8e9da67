package kernels

import (
	"encoding/binary"
	"unsafe"
)

// Codes are packed and unpacked eight at a time, in a word whose bytes they
// are: halves of it move together until the codes are next to each other, or
// apart.

// ones is a word of bytes that are 1.
const ones = 0x0101010101010101

// packWords packs codes while there are eight, and returns how many it did.
func packWords(dst, src []byte, bits int) (n int) {
	for ; n+8 <= len(src); n += 8 {
		x := binary.LittleEndian.Uint64(src[n:])
		if bits == 4 {
			x &= ones * 15
			x = (x | x>>4) & 0x00ff00ff00ff00ff
			x = (x | x>>8) & 0x0000ffff0000ffff
			x |= x >> 16
			binary.LittleEndian.PutUint32(dst[n/2:], uint32(x))
		} else {
			x &= ones * 3
			x = (x | x>>6) & 0x000f000f000f000f
			x = (x | x>>12) & 0x000000ff000000ff
			x |= x >> 24
			binary.LittleEndian.PutUint16(dst[n/4:], uint16(x))
		}
	}
	return n
}

// unpackWords unpacks codes while there are eight, and returns how many it did.
func unpackWords(dst, src []byte, bits int, signed bool) (n int) {
	for ; n+8 <= len(dst); n += 8 {
		var x uint64
		if bits == 4 {
			x = uint64(binary.LittleEndian.Uint32(src[n/2:]))
			x = (x | x<<16) & 0x0000ffff0000ffff
			x = (x | x<<8) & 0x00ff00ff00ff00ff
			x = (x | x<<4) & (ones * 15)
			if signed {
				x |= x >> 3 & ones * 0xf0
			}
		} else {
			x = uint64(binary.LittleEndian.Uint16(src[n/4:]))
			x = (x | x<<24) & 0x000000ff000000ff
			x = (x | x<<12) & 0x000f000f000f000f
			x = (x | x<<6) & (ones * 3)
			if signed {
				x |= x >> 1 & ones * 0xfc
			}
		}
		binary.LittleEndian.PutUint64(dst[n:], x)
	}
	return n
}

// bytesOf views codes as bytes.
func bytesOf[C Code](codes []C) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(codes))), len(codes))
}
