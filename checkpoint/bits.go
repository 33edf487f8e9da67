package checkpoint

import (
	"encoding/binary"

	"github.com/lowbit-go/lowbit/kernels"
)

// unpackBits reads codes of so many bits, at most 8, from a little-endian bit stream.
func unpackBits(dst, src []uint8, bits int) {
	switch bits {
	case 8:
		copy(dst, src)
		return
	case 4:
		kernels.Unpack(dst, src[:(len(dst)+1)/2], kernels.Uint4)
		return
	case 2:
		kernels.Unpack(dst, src[:(len(dst)+3)/4], kernels.Uint2)
		return
	}
	// Eight codes fill so many bytes as a code has bits.
	n := max(0, min(len(dst)/8, (len(src)-8)/bits+1))
	if len(src) < 8 {
		n = 0
	}
	switch m := newSpreader(bits); bits {
	case 3:
		for k := range n {
			binary.LittleEndian.PutUint64(dst[8*k:][:8], spread3(binary.LittleEndian.Uint64(src[3*k:][:8])))
		}
	case 6:
		for k := range n {
			binary.LittleEndian.PutUint64(dst[8*k:][:8], spread6(binary.LittleEndian.Uint64(src[6*k:][:8])))
		}
	default:
		for k := range n {
			binary.LittleEndian.PutUint64(dst[8*k:][:8], m.spread(binary.LittleEndian.Uint64(src[bits*k:][:8])))
		}
	}
	dst, src = dst[8*n:], src[bits*n:]
	mask := uint8(1)<<bits - 1
	for i := range dst {
		bit := i * bits
		v := uint16(src[bit/8])
		if bit/8+1 < len(src) {
			v |= uint16(src[bit/8+1]) << 8
		}
		dst[i] = uint8(v>>(bit%8)) & mask
	}
}

// spreader gives the codes of a bit stream a byte each.
type spreader struct {
	bits                   uint64
	half, quarters, eights uint64 // masks
}

func newSpreader(bits int) spreader {
	half, quarter, eighth := uint64(1)<<(4*bits)-1, uint64(1)<<(2*bits)-1, uint64(1)<<bits-1
	return spreader{uint64(bits), half, quarter | quarter<<32, eighth | eighth<<16 | eighth<<32 | eighth<<48}
}

// spread takes the lowest eight codes: halves, quarters, eighths are moved apart.
func (m *spreader) spread(v uint64) uint64 {
	v = v&m.half | v>>(4*m.bits&63)&m.half<<32
	v = v&m.quarters | v>>(2*m.bits&63)&m.quarters<<16
	return v&m.eights | v>>(m.bits&63)&m.eights<<8
}

// spread3 and spread6 are spread of 3 and 6 bits: shifts by numbers that are known cost half of those by others.
func spread3(v uint64) uint64 {
	v &= 1<<24 - 1
	v = (v | v<<20) & 0x00000fff_00000fff
	v = (v | v<<10) & 0x003f003f_003f003f
	return (v | v<<5) & 0x07070707_07070707
}

func spread6(v uint64) uint64 {
	v = v&0x00ffffff | v<<8&0x00ffffff_00000000
	v = v&0x00000fff_00000fff | v<<4&0x0fff0000_0fff0000
	return v&0x003f003f_003f003f | v<<2&0x3f003f00_3f003f00
}

// transposeWords transposes a matrix of words: row k of src becomes column k of dst.
func transposeWords(dst, src []uint32, rows, cols int) {
	const tile = 16 // a cache line of src
	for c := 0; c < cols; c += tile {
		n := min(tile, cols-c)
		for r := 0; r < rows; r += tile {
			for k := r; k < min(r+tile, rows); k++ {
				for j, w := range src[k*cols+c:][:n] {
					dst[(c+j)*rows+k] = w
				}
			}
		}
	}
}

// transposeNibbles transposes eight words of eight nibbles: nibble k of word j becomes nibble j of word k.
func transposeNibbles(a *[8]uint32) {
	swap := func(i, j int, shift uint, mask uint32) {
		t := (a[i]>>shift ^ a[j]) & mask
		a[j] ^= t
		a[i] ^= t << shift
	}
	swap(0, 4, 16, 0x0000ffff)
	swap(1, 5, 16, 0x0000ffff)
	swap(2, 6, 16, 0x0000ffff)
	swap(3, 7, 16, 0x0000ffff)
	swap(0, 2, 8, 0x00ff00ff)
	swap(1, 3, 8, 0x00ff00ff)
	swap(4, 6, 8, 0x00ff00ff)
	swap(5, 7, 8, 0x00ff00ff)
	swap(0, 1, 4, 0x0f0f0f0f)
	swap(2, 3, 4, 0x0f0f0f0f)
	swap(4, 5, 4, 0x0f0f0f0f)
	swap(6, 7, 4, 0x0f0f0f0f)
}
