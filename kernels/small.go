package kernels

import "github.com/lowbit-go/lowbit/internal/asm"

// The small way. A call for one group of some hundred elements takes longer for
// pieces, stores past the caches and buffers of reciprocals than for its elements. So
// the first question is whether a call is small and ordinary; if it is, one call of
// assembly does it. The question only says yes: what it does not like, a mistake too,
// goes the long way, which reports mistakes. TestSmall holds one way against the other.

// isSmall reports whether n elements are one group that one call of assembly can do,
// with one code for each.
func isSmall[C IntCode](impl isa, g Grid, n int, codes []C) bool {
	return impl != generic && g.Rows == 1 && g.Groups == 1 && g.Len == n && n > 0 && n < productLen &&
		len(codes) == n && uint64(16*n) < uint64(streamFrom.Load())
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
	ok = p.Min < p.Max && p.Dialect == Reference && p.Minval == nil && len(p.Scale) == 1 && p.Scale[0] >= 0x1p-80 && p.Scale[0] <= 0x1p100
	if ok && p.ZeroPoint != nil {
		ok = len(p.ZeroPoint) == 1 && int(p.ZeroPoint[0]) >= p.Min && int(p.ZeroPoint[0]) <= p.Max
	}
	return code, ok
}

// isApart reports whether memory that is written shares nothing with another's and with the parameters.
func (p *IntParams) isApart(out, in region) bool {
	scale, zeroPoint := memory("", p.Scale), memory("", p.ZeroPoint)
	return (out.end <= in.start || in.end <= out.start) && (out.end <= scale.start || scale.end <= out.start) &&
		(out.end <= zeroPoint.start || zeroPoint.end <= out.start)
}
