package kernels

import (
	"unsafe"

	"github.com/lowbit-go/lowbit/internal/asm"
)

// The small way. A call for one group of some hundred elements takes longer for
// pieces, stores past the caches and buffers of reciprocals than for its elements, and
// each call of a function takes as long as some thirty of them. So the first question
// is whether a call is small and ordinary; if it is, one call of assembly does it. The
// question only says yes: what it does not like, a mistake too, goes the long way,
// which reports mistakes. TestSmall holds one way against the other.

// atOnce returns the implementation if one call of assembly can do n elements and
// writes nothing past the caches, and otherwise generic.
func atOnce(n int) isa {
	c := chosen.Load()
	if uint(n-1) >= uint(c>>smallShift) {
		return generic
	}
	return isa(c)
}

// smallMost is the number of elements up to which calls are small with an implementation.
func smallMost(impl isa) int {
	most := productLen - 1
	if from := streamFrom.Load(); from >= 0 {
		most = min(most, int((from-1)/16))
	}
	if impl == generic || most < 0 {
		return 0
	}
	return most
}

// isVector reports whether a grid is one group of n elements.
func (g Grid) isVector(n int) bool { return g.Rows == 1 && g.Groups == 1 && g.Len == n }

// apart reports whether slices share no memory.
func apart[A, B any](a []A, b []B) bool {
	p, q := uintptr(unsafe.Pointer(unsafe.SliceData(a))), uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	return p+uintptr(len(a))*unsafe.Sizeof(*new(A)) <= q || q+uintptr(len(b))*unsafe.Sizeof(*new(B)) <= p
}

// elementwise is atOnce for a kernel that makes each element of one.
func elementwise[D, S any](dst []D, src []S) isa {
	if len(dst) != len(src) || !apart(dst, src) {
		return generic
	}
	return atOnce(len(src))
}

// small reports whether parameters are those of one ordinary group, of which nothing
// is among n bytes that are written: codes from least to most, no dialect, a scale
// that need not be divided by, no minval.
func (p *IntParams) small(least, most int, out unsafe.Pointer, n int) bool {
	if p.Min < least || p.Max > most || p.Min >= p.Max || p.Dialect != Reference || p.Minval != nil || len(p.Scale) != 1 {
		return false
	}
	start, scale := uintptr(out), uintptr(unsafe.Pointer(&p.Scale[0]))
	end := start + uintptr(n)
	if scale+4 > start && scale < end || !(p.Scale[0] >= 0x1p-80 && p.Scale[0] <= 0x1p100) {
		return false
	}
	if p.ZeroPoint == nil {
		return true
	}
	if len(p.ZeroPoint) != 1 {
		return false
	}
	zero, z := uintptr(unsafe.Pointer(&p.ZeroPoint[0])), int(p.ZeroPoint[0])
	return z >= p.Min && z <= p.Max && (zero+4 <= start || zero >= end)
}

// smallCode returns what the assembly calls codes of a byte in a slice whose own
// format is that, if parameters are small with them.
func (p *IntParams) smallCode(own Format, out unsafe.Pointer, n int) (code asm.Code, ok bool) {
	f := p.Format
	if f == 0 {
		f = own
	}
	switch {
	case f != own && own != Uint8:
		return 0, false
	case f == Int8:
		return asm.Int8, p.small(-128, 127, out, n)
	case f == Uint8:
		return asm.Uint8, p.small(0, 255, out, n)
	}
	return 0, false
}

// smallFake reports whether parameters are small for fake-quantizing, and the mask is
// one of as many elements, and apart from all.
func smallFake[T Float](dst []T, mask Mask, src []T, p *IntParams) bool {
	least, most := -128, 127
	switch {
	case p.Min >= 0 && (p.Format == 0 || p.Format == Uint8):
		least, most = 0, 255
	case p.Format > Int8:
		return false
	}
	if !p.small(least, most, unsafe.Pointer(&dst[0]), len(dst)*int(unsafe.Sizeof(*new(T)))) {
		return false
	}
	switch mask.kind {
	case noMask:
		return true
	case byteMask:
		if len(mask.data) != len(src) {
			return false
		}
	case bitMask:
		if len(mask.data) != BitMaskLen(len(src)) {
			return false
		}
	}
	return apart(mask.data, src) && apart(mask.data, dst) && p.small(least, most, unsafe.Pointer(&mask.data[0]), len(mask.data))
}
