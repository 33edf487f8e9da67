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
	m := newSpreader(bits)
	for len(dst) >= 8 && len(src) >= 8 {
		binary.LittleEndian.PutUint64(dst, m.spread(binary.LittleEndian.Uint64(src)))
		dst, src = dst[8:], src[bits:]
	}
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
