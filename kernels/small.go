package kernels

import (
	"unsafe"

	"github.com/lowbit-go/lowbit/internal/asm"
)

// The small way. A call for one group of some hundred elements takes longer for
// pieces, stores past the caches and buffers of reciprocals than for its elements. So
// the first question is whether a call is small and ordinary; if it is, one call of
// assembly does it. The question only says yes: what it does not like, a mistake too,
// goes the long way, which reports mistakes. TestSmall holds one way against the other.

// isSmall reports whether n elements are one group that one call of assembly can do,
// with one code for each.
func isSmall[C IntCode](impl isa, g Grid, n int, codes []C) bool {
	return g.Rows == 1 && g.Groups == 1 && g.Len == n && len(codes) == n && isShort(impl, n)
}

// isShort reports whether n elements are so few that one call of assembly can do
// them, and that nothing is written past the caches.
func isShort(impl isa, n int) bool {
	return impl != generic && n > 0 && n < productLen && uint64(16*n) < uint64(streamFrom.Load())
}

// smallCode returns what the assembly calls codes in a slice whose own format is that,
// if parameters of one group are ordinary: a byte to a code, no dialect, a scale that
// need not be divided by, no minval.
func (p *IntParams) smallCode(own Format) (code asm.Code, ok bool) {
	f := p.Format
	if f == 0 {
		f = own
	}
	switch {
	case f != own && own != Uint8:
		return 0, false
	case f == Int8 && p.Min >= -128 && p.Max <= 127:
		code = asm.Int8
	case f == Uint8 && p.Min >= 0 && p.Max <= 255:
		code = asm.Uint8
	default:
		return 0, false
	}
	return code, p.isOrdinary()
}

// isOrdinary is what smallCode asks of parameters, whatever the codes.
func (p *IntParams) isOrdinary() bool {
	ok := p.Min < p.Max && p.Dialect == Reference && p.Minval == nil && len(p.Scale) == 1 && p.Scale[0] >= 0x1p-80 && p.Scale[0] <= 0x1p100
	if ok && p.ZeroPoint != nil {
		ok = len(p.ZeroPoint) == 1 && int(p.ZeroPoint[0]) >= p.Min && int(p.ZeroPoint[0]) <= p.Max
	}
	return ok
}

// isApart reports whether memory that is written shares nothing with another's and with the parameters.
func (p *IntParams) isApart(out, in region) bool {
	scale, zeroPoint := memory("", p.Scale), memory("", p.ZeroPoint)
	return (out.end <= in.start || in.end <= out.start) && (out.end <= scale.start || scale.end <= out.start) &&
		(out.end <= zeroPoint.start || zeroPoint.end <= out.start)
}

// isSmallFake is isSmall and isOrdinary for fake-quantizing.
func isSmallFake[T Float](impl isa, dst []T, mask Mask, src []T, g Grid, p *IntParams) bool {
	n := len(src)
	if g.Rows != 1 || g.Groups != 1 || g.Len != n || len(dst) != n || !isShort(impl, n) || !p.isOrdinary() {
		return false
	}
	if isByte := p.Min >= -128 && p.Max <= 127 && p.Format <= Int8 || p.Min >= 0 && p.Max <= 255 && (p.Format == 0 || p.Format == Uint8); !isByte {
		return false
	}
	out, in, flags := memory("", dst), memory("", src), memory("", mask.data)
	switch mask.kind {
	case byteMask:
		if len(mask.data) != n {
			return false
		}
	case bitMask:
		if len(mask.data) != BitMaskLen(n) {
			return false
		}
	}
	return (out.start == in.start || p.isApart(out, in)) && p.isApart(out, flags) && p.isApart(flags, in)
}

// smallFake fake-quantizes where isSmallFake says that it can.
func smallFake[T Float](impl isa, dst []T, mask Mask, src []T, p *IntParams) {
	elem, n, recip := elemOf[T](), len(src), 1/p.Scale[0]
	y, x, flags := unsafe.Pointer(&dst[0]), unsafe.Pointer(&src[0]), unsafe.SliceData(mask.data)
	kind, least, most := int32(asmMasks[mask.kind]), int32(p.Min), int32(p.Max)
	if p.ZeroPoint != nil && p.ZeroPoint[0] != 0 {
		asm.FakeQuantizeZeroPoint[T](impl, elem, y, flags, x, &p.Scale[0], &recip, &p.ZeroPoint[0], least, most, kind, 1, n, 0)
	} else {
		asm.FakeQuantize[T](impl, elem, y, flags, x, &p.Scale[0], &recip, least, most, kind, 1, n, 0)
	}
}
