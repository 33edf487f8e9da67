package kernels

import "github.com/lowbit-go/lowbit/internal/scan"

// IntParams are the parameters of an integer format. Kernels read them, and keep
// nothing of them.
type IntParams struct {
	// Format says how codes lie in a slice of bytes. It may be 0: codes lie one to
	// an element then, Int8 in []int8, Uint8 in []uint8 and so on. Kernels that neither
	// read nor write codes need none.
	Format Format

	// Min and Max are the least and the greatest code, Min <= Max, not both 0,
	// both within -32768..32767 or both within 0..65535, and within the Format's
	// Range.
	Min, Max int

	// Scale has one scale per group.
	Scale []float32

	// ZeroPoint has one zero point per group, Min <= zero point <= Max. Nil
	// stands for zeros, whatever Min and Max are.
	ZeroPoint []int32

	// Minval, unless it is nil, has one real value per group: the one that code
	// Min stands for. Then ZeroPoint is nil.
	Minval []float32

	// Dialect says whose arithmetic makes codes: Reference, CompressedTensors,
	// CompressedTensorsF32 or Torch. With another than Reference, Minval is nil.
	Dialect Dialect
}

// check panics unless the parameters are of that many groups and consistent. It
// reports whether zero points are given and all 0: there is less to do without.
func (p *IntParams) check(kernel string, groups int) (zeros bool) {
	checkRange(kernel, p.Format, p.Min, p.Max)
	checkLen(kernel, "Scale", len(p.Scale), groups)
	if p.Minval != nil {
		checkLen(kernel, "Minval", len(p.Minval), groups)
		if p.ZeroPoint != nil {
			fail(kernel, "both ZeroPoint and Minval are given")
		}
	}
	if p.Dialect != Reference {
		checkIntDialect(kernel, p.Dialect, p.Minval != nil)
	}
	if p.ZeroPoint == nil {
		return false
	}
	checkLen(kernel, "ZeroPoint", len(p.ZeroPoint), groups)
	if p.Min <= 0 && p.Max >= 0 && scan.Zeros(p.ZeroPoint) {
		return true
	}
	if i := scan.Outside(p.ZeroPoint, int32(p.Min), int32(p.Max)); i >= 0 {
		fail(kernel, "ZeroPoint[%d]=%d, want %d..%d", i, p.ZeroPoint[i], p.Min, p.Max)
	}
	return false
}

// checkIntDialect panics unless the dialect has integers.
func checkIntDialect(kernel string, d Dialect, minval bool) {
	switch d {
	case Reference:
	case CompressedTensors, CompressedTensorsF32, Torch:
		if minval {
			fail(kernel, "%v has no minvals", d)
		}
	default:
		fail(kernel, "%v has no integer formats", d)
	}
}

// checkRange panics unless min..max are codes, and of the format if there is one.
func checkRange(kernel string, f Format, min, max int) {
	switch {
	case min == 0 && max == 0:
		fail(kernel, "Min and Max are 0, want the least and the greatest code")
	case min > max || min < -1<<15 || max >= 1<<16 || min < 0 && max >= 1<<15:
		fail(kernel, "codes %d..%d, want a range within -32768..32767 or 0..65535", min, max)
	case f != 0:
		f.checkHolds(kernel, min, max)
	}
}

// apart panics if an output shares memory with the parameters.
func (p *IntParams) apart(kernel string, out region) {
	checkApart(kernel, out, memory("Scale", p.Scale))
	checkApart(kernel, out, memory("ZeroPoint", p.ZeroPoint))
	checkApart(kernel, out, memory("Minval", p.Minval))
}

// part returns the parameters of n groups from the first on.
func (p *IntParams) part(first, n int) IntParams {
	part := *p
	part.Scale = p.Scale[first:][:n]
	if p.ZeroPoint != nil {
		part.ZeroPoint = p.ZeroPoint[first:][:n]
	}
	if p.Minval != nil {
		part.Minval = p.Minval[first:][:n]
	}
	return part
}

// group returns a group's scale, quant_offset and float_offset.
func (p *IntParams) group(g int) (s, qo, fo float32) {
	switch {
	case p.Minval != nil:
		return p.Scale[g], float32(p.Min), p.Minval[g]
	case p.ZeroPoint != nil:
		return p.Scale[g], float32(p.ZeroPoint[g]), 0
	}
	return p.Scale[g], 0, 0
}

// FloatParams are the parameters of a float format. Kernels read them, and keep
// nothing of them.
type FloatParams struct {
	// Format is a float format.
	Format Format

	// Dialect, Scales, Rule and Global are those of the [FloatRule] that the scales
	// come from.
	Dialect Dialect
	Scales  ScaleType
	Rule    ScaleRule
	Global  float32

	// Scale has one scale per group, a number of the type that Scales says: of others
	// implementations may make different codes.
	Scale []float32

	// Factor, unless it is nil, has the factors that the rule wrote beside the
	// scales. Without it they are computed from the scales.
	Factor []float32
}

// check panics unless the parameters are of that many groups and consistent.
func (p *FloatParams) check(kernel string, groups int) {
	p.Format.checkFloat(kernel)
	if !p.everyFormat() {
		p.method().check(kernel, p.Format)
	}
	checkLen(kernel, "Scale", len(p.Scale), groups)
	if p.Factor != nil {
		checkLen(kernel, "Factor", len(p.Factor), groups)
	}
}

// everyFormat reports whether the scales are such as the reference has for every format.
func (p *FloatParams) everyFormat() bool {
	return p.Dialect == Reference && p.Scales <= ScaleE8M0 && p.Rule == ScaleFloor
}

// checkReference panics unless the arithmetic is the reference's.
func (p *FloatParams) checkReference(kernel string) {
	if p.Dialect != Reference {
		fail(kernel, "the dialect is %v, want Reference", p.Dialect)
	}
}

// part returns the parameters of n groups from the first on.
func (p *FloatParams) part(first, n int) FloatParams {
	return FloatParams((*FloatRule)(p).part(first, n))
}

// apart panics if an output shares memory with the parameters.
func (p *FloatParams) apart(kernel string, out region) {
	checkApart(kernel, out, memory("Scale", p.Scale))
	checkApart(kernel, out, memory("Factor", p.Factor))
}
