package kernels

import (
	"unsafe"

	"github.com/lowbit-go/lowbit/internal/asm"
)

// Integer codes of two bytes: the assembly takes float32, and for each group a zero
// point and a minval. Tensors of 16 bits are widened first, and narrowed behind, in
// pieces that stay in the L1 cache.

// offsets are the zero points and minvals of some groups.
type offsets struct{ zero, minval [someGroups]float32 }

func (o *offsets) set(p *IntParams, base, n int) {
	for i := range n {
		_, o.zero[i], o.minval[i] = p.group(base + i)
	}
}

// pieces visits n groups from base on.
func pieces[T Float](g Grid, base, n int) spans {
	var s spans
	s.visit(g, base, n, mostElements, streaming{})
	if elemOf[T]() != asm.F32 {
		s.most = widenedLen
	}
	return s
}

// quantizeShorts writes codes of two bytes.
func quantizeShorts[T Float](impl isa, dst unsafe.Pointer, src []T, g Grid, p *IntParams) {
	var o offsets
	var recip [someGroups]float32
	var buf [widenedLen]float32
	elem := elemOf[T]()
	for base := 0; base < g.Groups; base += someGroups {
		n := min(someGroups, g.Groups-base)
		o.set(p, base, n)
		asm.Prepare(impl, &recip[0], &p.Scale[base], n)
		s := pieces[T](g, base, n)
		for s.advance() {
			in, x := unsafe.Pointer(&src[s.off]), &buf[0]
			if unsafe.Sizeof(*new(T)) == 4 { // a constant: programs without tensors of 16 bits link no conversions
				x = (*float32)(in)
			} else {
				asm.Decode(impl, elem, x, (*uint16)(in), s.groups*s.length, 0)
			}
			asm.QuantizeShort(impl, (*uint16)(unsafe.Add(dst, 2*s.off)), x, &p.Scale[base+s.first], &recip[s.first], &o.zero[s.first], &o.minval[s.first],
				float32(p.Min), float32(p.Max), s.groups, s.length)
		}
	}
}

// dequantizeShorts is for scales and minvals that are finite; sign is the highest bit of signed codes.
func dequantizeShorts[T Float](impl isa, dst []T, src unsafe.Pointer, g Grid, p *IntParams, sign int32) {
	var o offsets
	var buf [widenedLen]float32
	elem := elemOf[T]()
	for base := 0; base < g.Groups; base += someGroups {
		n := min(someGroups, g.Groups-base)
		o.set(p, base, n)
		s := pieces[T](g, base, n)
		for s.advance() {
			out, y := unsafe.Pointer(&dst[s.off]), &buf[0]
			if unsafe.Sizeof(*new(T)) == 4 {
				y = (*float32)(out)
			}
			asm.DequantizeShort(impl, y, (*uint16)(unsafe.Add(src, 2*s.off)), &p.Scale[base+s.first], &o.zero[s.first], &o.minval[s.first], sign, s.groups, s.length)
			if unsafe.Sizeof(*new(T)) != 4 {
				asm.Encode(impl, elem, (*uint16)(out), y, s.groups*s.length, 0)
			}
		}
	}
}
