package checkpoint

import (
	"encoding/binary"

	"github.com/lowbit-go/lowbit/internal/asm"
	"github.com/lowbit-go/lowbit/internal/isa"
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
	if impl := isa.Current(); unpacksStreams(impl) && len(src) > 16 {
		if n := min(len(dst), (len(src)-16)*8/bits) / 32; n > 0 {
			asm.UnpackStream(impl, &dst[0], &src[0], &streamOrders[bits][0], int32(16-bits), 2*bits, n)
			dst, src = dst[32*n:], src[4*bits*n:]
		}
	}
	if bits == 3 {
		for ; len(src) >= 24 && len(dst) >= 64; dst, src = dst[64:], src[24:] {
			spread3s((*[64]uint8)(dst), (*[24]uint8)(src))
		}
	}
	// Eight codes fill so many bytes as a code has bits.
	m := newSpreader(bits)
	for ; len(src) >= 8 && len(dst) >= 8; dst, src = dst[8:], src[bits:] {
		binary.LittleEndian.PutUint64(dst, m.spread(binary.LittleEndian.Uint64(src)))
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

// unpacksStreams tells whether an implementation has a kernel for codes of any number of bits.
func unpacksStreams(impl asm.ISA) bool { return impl != asm.Generic && impl != asm.NEON }

// streamOrders are what the kernel for codes of so many bits goes by.
var streamOrders = func() (orders [9][48]uint8) {
	for bits := range orders {
		for i := range 8 {
			at, o := i*bits/8, orders[bits][:]
			o[2*i], o[2*i+1], o[16+2*i], o[17+2*i] = uint8(at), uint8(at+1), uint8(bits+at), uint8(bits+at+1)
			binary.LittleEndian.PutUint16(o[32+2*i:], uint16(1)<<((16-bits-i*bits%8)&15))
		}
	}
	return orders
}()

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

// fours has four codes of 3 bits for each twelve.
var fours = func() (t [1 << 12]uint32) {
	for v := range uint32(len(t)) {
		t[v] = v&7 | v>>3&7<<8 | v>>6&7<<16 | v>>9<<24
	}
	return t
}()

// spread3 gives the lowest eight codes of 3 bits a byte each.
func spread3(v uint64) uint64 { return uint64(fours[v&0xfff]) | uint64(fours[v>>12&0xfff])<<32 }

// spread3s spreads all codes of three words.
func spread3s(dst *[64]uint8, src *[24]uint8) {
	a, b, c := binary.LittleEndian.Uint64(src[:]), binary.LittleEndian.Uint64(src[8:]), binary.LittleEndian.Uint64(src[16:])
	binary.LittleEndian.PutUint64(dst[:], spread3(a))
	binary.LittleEndian.PutUint64(dst[8:], spread3(a>>24))
	binary.LittleEndian.PutUint64(dst[16:], spread3(a>>48|b<<16))
	binary.LittleEndian.PutUint64(dst[24:], spread3(b>>8))
	binary.LittleEndian.PutUint64(dst[32:], spread3(b>>32))
	binary.LittleEndian.PutUint64(dst[40:], spread3(b>>56|c<<8))
	binary.LittleEndian.PutUint64(dst[48:], spread3(c>>16))
	binary.LittleEndian.PutUint64(dst[56:], spread3(c>>40))
}
