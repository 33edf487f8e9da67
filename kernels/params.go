package kernels

import "github.com/lowbit-go/lowbit/internal/scan"

// IntParams are the parameters of an integer format.
type IntParams struct {
	// Min and Max are the least and the greatest code, Min <= Max, both within
	// -128..127 or both within 0..255.
	Min, Max int

	// Scale has one scale per group.
	Scale []float32

	// ZeroPoint has one zero point per group, Min <= zero point <= Max. Nil
	// stands for zeros, whatever Min and Max are.
	ZeroPoint []int32

	// Minval, unless it is nil, has one real value per group: the one that code
	// Min stands for. Then ZeroPoint is nil.
	Minval []float32
}

// check panics unless the parameters are of that many groups and consistent. It
// drops zero points if all are 0: there is less to do then.
func (p *IntParams) check(kernel string, groups int) {
	if p.Min > p.Max || p.Min < -128 || p.Max > 255 || p.Min < 0 && p.Max > 127 {
		fail(kernel, "codes %d..%d, want a range within -128..127 or 0..255", p.Min, p.Max)
	}
	checkLen(kernel, "Scale", len(p.Scale), groups)
	if p.Minval != nil {
		checkLen(kernel, "Minval", len(p.Minval), groups)
		if p.ZeroPoint != nil {
			fail(kernel, "both ZeroPoint and Minval are given")
		}
	}
	if p.ZeroPoint != nil {
		checkLen(kernel, "ZeroPoint", len(p.ZeroPoint), groups)
		if p.Min <= 0 && p.Max >= 0 && scan.Zeros(p.ZeroPoint) {
			p.ZeroPoint = nil
		} else if i := scan.Outside(p.ZeroPoint, int32(p.Min), int32(p.Max)); i >= 0 {
			fail(kernel, "ZeroPoint[%d]=%d, want %d..%d", i, p.ZeroPoint[i], p.Min, p.Max)
		}
	}
}

// checkFits panics unless a C can hold the codes.
func checkFits[C Code](kernel string, lo, hi int) {
	if least := C(0) - 1; least < 0 && hi > 127 || least > 0 && lo < 0 {
		fail(kernel, "codes %d..%d do not fit into %T", lo, hi, least)
	}
}

// apart panics if an output shares memory with the parameters.
func (p *IntParams) apart(kernel string, out region) {
	checkApart(kernel, out, memory("Scale", p.Scale))
	checkApart(kernel, out, memory("ZeroPoint", p.ZeroPoint))
	checkApart(kernel, out, memory("Minval", p.Minval))
}

// part returns the parameters of n groups from the first on.
func (p IntParams) part(first, n int) IntParams {
	p.Scale = p.Scale[first:][:n]
	if p.ZeroPoint != nil {
		p.ZeroPoint = p.ZeroPoint[first:][:n]
	}
	if p.Minval != nil {
		p.Minval = p.Minval[first:][:n]
	}
	return p
}

// group returns a group's scale, quant_offset and float_offset.
func (p IntParams) group(g int) (s, qo, fo float32) {
	switch {
	case p.Minval != nil:
		return p.Scale[g], float32(p.Min), p.Minval[g]
	case p.ZeroPoint != nil:
		return p.Scale[g], float32(p.ZeroPoint[g]), 0
	}
	return p.Scale[g], 0, 0
}

// FloatParams are the parameters of a small float format.
type FloatParams struct {
	Format Format

	// Scale has one scale per group.
	Scale []float32
}

// check panics unless the parameters are of that many groups and consistent.
func (p FloatParams) check(kernel string, groups int) {
	if p.Format > E2M1Packed {
		fail(kernel, "unknown %v", p.Format)
	}
	checkLen(kernel, "Scale", len(p.Scale), groups)
}

// apart panics if an output shares memory with the parameters.
func (p FloatParams) apart(kernel string, out region) {
	checkApart(kernel, out, memory("Scale", p.Scale))
}
