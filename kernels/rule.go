package kernels

// IntRule says how the parameters of an integer format follow from the range of
// a group, and takes them. A range is widened to hold zero: lo = min(least, 0),
// hi = max(greatest, 0), and with n = Max - Min
//
//	symmetric     scale = max(max(-lo, hi) / (n/2), 2^-23)    zero point = (Max+Min+1)/2, toward zero    minval = -max(-lo, hi)
//	asymmetric    scale = max((hi - lo) / n, 2^-23)           zero point = Min - round(lo/scale)         minval = lo
//
// A zero point is clamped to Min..Max; one that comes out NaN is 0. Each operation
// is computed in float32 and rounded to the tensor's element type, half to even.
// A NaN in a group makes its scale and its minval NaN, an infinity makes them
// infinite.
//
// With ScaleE8M0 the scale is a power of two, 2^(floor(log2(m)) - 6) and at least
// 2^-126, where m is the largest magnitude and the logarithm is the exponent field
// of the float32, as in [fp8.E8M0Scale]; the zero point is 0 and the format
// symmetric. With codes of eight bits this is MXINT8 of the OCP MX specification,
// in the arithmetic of coreai-opt 0.4.0.
//
// With ScaleFloat16 and ScaleBFloat16 the scale is rounded to that type before the
// zero point follows from it, and so is the minval.
type IntRule struct {
	// Format says how codes lie in memory, as that of [IntParams] does.
	Format Format

	// Min and Max are the least and the greatest code, Min < Max, both within
	// -32768..32767 or both within 0..65535, and within the Format's Range; 0 is
	// among them.
	Min, Max int

	// Asymmetric takes a range as it is, widened to hold zero; else it is made to
	// reach as far below zero as above.
	Asymmetric bool

	// ByMinval quantizes by minvals, else it is by zero points.
	ByMinval bool

	// Scales is the type of the scales, which is none of ScaleE4M3FN.
	Scales ScaleType

	// Dialect says whose arithmetic this is: Reference, CompressedTensors or
	// CompressedTensorsF32, which have the same parameters, or Torch, which takes
	// the reference's.
	Dialect Dialect

	// Scale, ZeroPoint and Minval take one number per group. The one of ZeroPoint
	// and Minval that the codes do not depend on may be nil: that is so of
	// ZeroPoint also where all are 0.
	Scale     []float32
	ZeroPoint []int32
	Minval    []float32
}

// middle is the zero point of a symmetric format.
func (r *IntRule) middle() int32 {
	if r.Scales == ScaleE8M0 {
		return 0
	}
	return int32((r.Max + r.Min + 1) / 2)
}

// compressed reports whether parameters are those of compressed-tensors.
func (r *IntRule) compressed() bool {
	return r.Dialect == CompressedTensors || r.Dialect == CompressedTensorsF32
}

// part returns the rule for n groups from the first on.
func (r *IntRule) part(first, n int) IntRule {
	part := *r
	part.Scale = r.Scale[first:][:n]
	if r.ZeroPoint != nil {
		part.ZeroPoint = r.ZeroPoint[first:][:n]
	}
	if r.Minval != nil {
		part.Minval = r.Minval[first:][:n]
	}
	return part
}

// steps is the number of steps from the least code to the greatest.
func (r *IntRule) steps() float32 { return float32(r.Max - r.Min) }

// check panics unless the rule is for that many groups and consistent.
func (r *IntRule) check(kernel string, groups int) {
	checkRange(kernel, r.Format, r.Min, r.Max)
	if r.Min >= r.Max || r.Min > 0 || r.Max < 0 {
		fail(kernel, "codes %d..%d, want a range with 0 and another code", r.Min, r.Max)
	}
	switch {
	case r.Scales > ScaleBFloat16:
		fail(kernel, "scales of integers are not %v", r.Scales)
	case r.compressed() && (r.Scales != ScaleAny || r.Min >= 0):
		fail(kernel, "%v has scales of the tensor's type and signed codes", r.Dialect)
	case r.Scales == ScaleE8M0 && (r.Asymmetric || r.ByMinval):
		fail(kernel, "ScaleE8M0 is for symmetric formats with zero points")
	}
	checkIntDialect(kernel, r.Dialect, r.ByMinval)
	checkLen(kernel, "Scale", len(r.Scale), groups)
	if r.ZeroPoint != nil || !r.ByMinval && (r.Asymmetric || r.middle() != 0) {
		checkLen(kernel, "ZeroPoint", len(r.ZeroPoint), groups)
	}
	if r.Minval != nil || r.ByMinval {
		checkLen(kernel, "Minval", len(r.Minval), groups)
	}
}

// params returns the parameters of groups for quantizing, once they are chosen.
func (r *IntRule) params(first, groups int) IntParams {
	p := IntParams{Format: r.Format, Min: r.Min, Max: r.Max, Dialect: r.Dialect, Scale: r.Scale[first:][:groups]}
	switch {
	case r.ByMinval:
		p.Minval = r.Minval[first:][:groups]
	case r.Asymmetric || r.middle() != 0:
		p.ZeroPoint = r.ZeroPoint[first:][:groups]
	}
	return p
}

// apart panics if the parameters share memory with one another or with something else.
func (r *IntRule) apart(kernel string, others ...region) {
	scale, zeroPoint, minval := memory("Scale", r.Scale), memory("ZeroPoint", r.ZeroPoint), memory("Minval", r.Minval)
	checkApart(kernel, scale, zeroPoint)
	checkApart(kernel, scale, minval)
	checkApart(kernel, zeroPoint, minval)
	for _, o := range others {
		checkApart(kernel, scale, o)
		checkApart(kernel, zeroPoint, o)
		checkApart(kernel, minval, o)
	}
}

// FloatRule says how the scales of a float format follow from the range of a
// group, and takes them. With m the largest magnitude
//
//	scale = max(m / largest, 2^-23)                      the quotient rounded to the tensor's element type
//	scale = max(2^(floor(log2(m)) - maxExp), 2^-126)     ScaleE8M0
//
// where largest is the format's largest value and maxExp that value's exponent.
// The second is [fp8.E8M0Scale], the shared scale of the OCP MX specification: a
// NaN or an infinity counts as 2^128 and gives a scale that is finite. In the
// first it makes the scale NaN or infinite.
//
// Other dialects have rules of their own: see the table in the package comment.
type FloatRule struct {
	// Format is a float format.
	Format Format

	// Dialect says whose arithmetic this is.
	Dialect Dialect

	// Scales is the type of the scales.
	Scales ScaleType

	// Rule is for ScaleE8M0 of TorchAO.
	Rule ScaleRule

	// Global is for ScaleE4M3FNGlobal, and is the tensor's: see [GlobalScale].
	Global float32

	// Scale takes one scale per group.
	Scale []float32

	// Factor takes what the group's elements are multiplied with or divided by. It
	// may be nil where that follows from the scale: with all but Transformers'
	// ScaleAny and ScaleE8M0 of CompressedTensors and CompressedTensorsF32.
	Factor []float32
}

// check panics unless the rule is for that many groups and consistent.
func (r *FloatRule) check(kernel string, groups int) {
	r.Format.checkFloat(kernel)
	if !(*FloatParams)(r).everyFormat() {
		r.method().check(kernel, r.Format)
	}
	checkLen(kernel, "Scale", len(r.Scale), groups)
	if r.Factor != nil || r.method().given() {
		checkLen(kernel, "Factor", len(r.Factor), groups)
	}
}

// part returns the rule for n groups from the first on.
func (r *FloatRule) part(first, n int) FloatRule {
	part := *r
	part.Scale = r.Scale[first:][:n]
	if r.Factor != nil {
		part.Factor = r.Factor[first:][:n]
	}
	return part
}

// params returns the parameters of groups for quantizing, once they are chosen.
func (r *FloatRule) params(first, groups int) FloatParams {
	return FloatParams(r.part(first, groups))
}

// apart panics if the scales or factors share memory with one another or with something else.
func (r *FloatRule) apart(kernel string, others ...region) {
	scale, factor := memory("Scale", r.Scale), memory("Factor", r.Factor)
	checkApart(kernel, scale, factor)
	for _, o := range others {
		checkApart(kernel, scale, o)
		checkApart(kernel, factor, o)
	}
}
