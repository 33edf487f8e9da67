package quant

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/lowbit-go/lowbit/fp8"
	"github.com/lowbit-go/lowbit/internal/codeformat"
	"github.com/lowbit-go/lowbit/internal/scan"
	"github.com/lowbit-go/lowbit/kernels"
)

// Params are the parameters of a tensor's groups, one each, row-major over Shape.
type Params struct {
	Shape     []int     // number of groups along each axis of the tensor
	Scale     []float32 // the width of a step
	ZeroPoint []int32   // the code of 0 (ZP); integers only
	MinVal    []float32 // the value of the lowest code (MinVal); integers only

	// Global is the scale of the whole tensor, where Spec.GlobalScale is GlobalOn; else it is 0. It is as the dialect stores it: the
	// scales are multiplied by that of TorchAO and ModelOpt, and divided by that of CompressedTensors.
	Global float32

	factor []float32 // what elements are multiplied with or divided by, where format.factors; none if it was not observed
}

// resize makes room for the parameters of groups of that shape.
func (p *Params) resize(f *format, shape []int, count int) {
	p.Shape = copyShape(p.Shape, shape)
	p.Scale = grow(p.Scale, count)
	if !f.global {
		p.Global = 0
	}
	if f.factors() {
		p.factor = grow(p.factor, count)
	} else {
		p.factor = nil
	}
	if f.dtype.IsFloat() {
		p.ZeroPoint, p.MinVal = nil, nil
		return
	}
	p.ZeroPoint, p.MinVal = grow(p.ZeroPoint, count), grow(p.MinVal, count)
}

// resizeCodes makes room for what codes of so many groups depend on, and for nothing else.
func (p *Params) resizeCodes(f *format, count int) {
	zeroPoint, minval, factor := p.ZeroPoint, p.MinVal, p.factor
	p.Scale, p.ZeroPoint, p.MinVal, p.factor = grow(p.Scale, count), nil, nil, nil
	switch {
	case f.minval:
		p.MinVal = grow(minval, count)
	case f.zeroPoints():
		p.ZeroPoint = grow(zeroPoint, count)
	}
	if f.factors() {
		p.factor = grow(factor, count)
	}
}

// zeroPoints tells whether the codes depend on zero points that are not all 0.
func (f *format) zeroPoints() bool {
	return !f.dtype.IsFloat() && !f.minval && (f.scheme == Asymmetric || f.scale != ScaleE8M0 && int(f.min+f.max+1)/2 != 0)
}

// copyFrom makes p a copy of q.
func (p *Params) copyFrom(q *Params) {
	p.Shape = copyShape(p.Shape, q.Shape)
	p.copyNumbers(q)
}

// copyNumbers copies all but the shape.
func (p *Params) copyNumbers(q *Params) {
	p.Scale = copied(p.Scale, q.Scale)
	p.ZeroPoint = copied(p.ZeroPoint, q.ZeroPoint)
	p.MinVal = copied(p.MinVal, q.MinVal)
	p.Global = q.Global
	p.factor = copied(p.factor, q.factor)
}

// copied returns a copy of src, in dst's memory if it has room. The one number of a tensor with one group takes no call.
func copied[E any](dst, src []E) []E {
	if len(src) == 1 && cap(dst) > 0 {
		dst = dst[:1]
		dst[0] = src[0]
		return dst
	}
	return append(dst[:0], src...)
}

// clone returns a copy.
func (p *Params) clone() (c Params) {
	c.copyFrom(p)
	return c
}

// complete returns a copy with the zeros that an integer format may leave out.
func (p *Params) complete(f *format) Params {
	c := p.clone()
	if !f.dtype.IsFloat() {
		if len(c.ZeroPoint) == 0 {
			c.ZeroPoint = make([]int32, len(c.Scale))
		}
		if len(c.MinVal) == 0 {
			c.MinVal = make([]float32, len(c.Scale))
		}
	}
	return c
}

// source is where parameters come from.
type source uint8

const (
	given   source = iota // finite, whatever their sign: all that dequantizing is defined for
	foreign               // what was observed may be infinite or NaN, too
	stated                // observed: scales are positive
)

// check holds parameters from elsewhere against a format; in its errors the first group is that of a tensor's.
func (p *Params) check(f *format, from source, first int) error {
	count, err := elements("Params", ".Shape", p.Shape)
	if err != nil {
		return err
	}
	if len(p.Scale) != count {
		return paramsError("len(Params.Scale)", len(p.Scale), "%d, as Params.Shape is %s", count, shapeString(p.Shape))
	}
	if !f.ordinary(p.Scale) {
		for i, s := range p.Scale {
			finite := math.Abs(float64(s)) <= math.MaxFloat32
			switch {
			case s == 0 && len(p.factor) == count && from == stated: // the factor is infinite
			case s <= 0 && (from == stated || f.scale == ScaleE8M0):
				return paramsError(fmt.Sprintf("Params.Scale[%d]", first+i), s, "a positive number")
			case !finite && from == given:
				return paramsError(fmt.Sprintf("Params.Scale[%d]", first+i), s, "a finite number")
			case f.scale > ScaleE8M0 && s == s && f.roundScale(s) != s:
				return paramsError(fmt.Sprintf("Params.Scale[%d]", first+i), s, "a %v, as that is scale_dtype", f.scale)
			case f.scale == ScaleE8M0 && s == 0x1p-127 && f.dialect != Reference:
			case f.scale == ScaleE8M0 && (finite || s == s) && math.Float32bits(s)&(1<<23-1) != 0:
				return paramsError(fmt.Sprintf("Params.Scale[%d]", first+i), s, "a power of two from 2^-126 to 2^127, as scale_dtype is %v", ScaleE8M0)
			}
		}
	}
	switch {
	case !f.global && p.Global != 0:
		return paramsError("Params.Global", p.Global, "0, as global_scale is not true")
	case f.global && from == given && !(p.Global > 0 && p.Global <= math.MaxFloat32):
		return paramsError("Params.Global", p.Global, "a positive, finite number")
	case f.global && p.Global < 0:
		return paramsError("Params.Global", p.Global, "a number that is not negative")
	}
	if n := len(p.factor); n > 0 && n != count {
		p.factor = nil
	}
	if f.dtype.IsFloat() {
		if len(p.ZeroPoint) > 0 || len(p.MinVal) > 0 {
			return &Error{ErrParams, "Params", "with a ZeroPoint or a MinVal", "neither, as dtype is " + f.dtype.String()}
		}
		return nil
	}
	if n := len(p.ZeroPoint); n != count && n > 0 {
		return paramsError("len(Params.ZeroPoint)", n, "%d, as Params.Shape is %s, or 0", count, shapeString(p.Shape))
	}
	if i := scan.Outside(p.ZeroPoint, int32(f.min), int32(f.max)); i >= 0 {
		return paramsError(fmt.Sprintf("Params.ZeroPoint[%d]", first+i), p.ZeroPoint[i], "%v to %v, as dtype is %v", f.min, f.max, f.dtype)
	}
	if n := len(p.MinVal); n != count && (n > 0 || f.minval) {
		return paramsError("len(Params.MinVal)", n, "%d, as Params.Shape is %s", count, shapeString(p.Shape))
	}
	if from != given {
		return nil
	}
	for i, m := range p.MinVal {
		if !(math.Abs(float64(m)) <= math.MaxFloat32) {
			return paramsError(fmt.Sprintf("Params.MinVal[%d]", first+i), m, "a finite number")
		}
	}
	return nil
}

// checkDivisors refuses scales of 0, by which nothing can be quantized, unless there are factors that elements are multiplied with instead; in
// its errors the first group is that of a tensor's.
func (p *Params) checkDivisors(first int) error {
	if len(p.factor) > 0 || ordinary(p.Scale) {
		return nil
	}
	for i, s := range p.Scale {
		if s == 0 {
			return paramsError(fmt.Sprintf("Params.Scale[%d]", first+i), s, "another number, as elements are divided by it")
		}
	}
	return nil
}

// ordinary tells whether all scales are positive and finite, at the speed of reading them.
func ordinary(scales []float32) bool {
	least, most := ends(scales)
	return len(scales) == 0 || least > 0 && most <= math.MaxFloat32
}

// ends are the least and the greatest of numbers, NaN if one is; 0 of none.
func ends(x []float32) (least, most float32) {
	if len(x) == 0 {
		return 0, 0
	}
	var lo, hi [1]float32
	kernels.MinMax(lo[:], hi[:], x, kernels.Grid{Rows: 1, Groups: 1, Len: len(x)})
	return lo[0], hi[0]
}

// ordinary tells whether all scales are positive, finite and normal numbers of the type that scales have.
func (f *format) ordinary(scales []float32) bool {
	var least, most float32 // normal numbers
	var spare uint32        // bits that numbers of the type do not have
	switch f.scale {
	case ScaleAny:
		return ordinary(scales)
	case ScaleE8M0:
		least, most, spare = 0x1p-126, 0x1p127, 1<<23-1
	case ScaleE4M3FN:
		least, most, spare = 0x1p-6, 448, 1<<20-1
	case ScaleFloat16:
		least, most, spare = 0x1p-14, 65504, 1<<13-1
	case ScaleBFloat16:
		least, most, spare = 0x1p-126, 0x1.fep127, 1<<16-1
	}
	lo, hi := ends(scales)
	return lo >= least && hi <= most && scan.Bits(scales)&spare == 0
}

// format is what a Spec says about codes and parameters, resolved.
type format struct {
	dtype    DType
	min, max float32 // quantized range
	scheme   Scheme
	minval   bool // MinVal formulation
	scale    ScaleDType
	dialect  Dialect
	rule     ScaleRule
	global   bool
	known    bool // the scale of the whole tensor is, before its groups' are chosen
}

// gathers tells whether the ranges of all groups have to be known before any has parameters.
func (f *format) gathers() bool { return f.global && !f.known }

func newFormat(s Spec) format {
	s = s.resolved()
	lo, hi := s.QuantRange()
	return format{s.DType, float32(lo), float32(hi), s.Scheme, s.Formulation == MinVal, s.ScaleDType, s.Dialect, s.ScaleRule, s.GlobalScale == GlobalOn, false}
}

// group returns one group's parameters for quantizing.
func (f *format) group(p *Params, i int) Group {
	g := Group{DType: f.dtype, QuantMin: f.min, QuantMax: f.max, Scale: p.Scale[i]}
	switch {
	case f.minval:
		g.QuantOffset, g.FloatOffset = f.min, p.MinVal[i]
	case len(p.ZeroPoint) > 0:
		g.QuantOffset = float32(p.ZeroPoint[i])
	}
	return g
}

// ints returns the parameters of a span for a kernel of integers, whose codes lie in bytes or are packed there.
func (f *format) ints(p *Params, s span, packed bool) kernels.IntParams {
	k := kernels.IntParams{Format: kernelFormat(f.dtype, packed), Dialect: kernelDialects[f.dialect], Min: int(f.min), Max: int(f.max), Scale: p.Scale[s.group:][:s.grid.Groups]}
	switch {
	case f.minval:
		k.Minval = p.MinVal[s.group:][:s.grid.Groups]
	case len(p.ZeroPoint) > 0:
		k.ZeroPoint = p.ZeroPoint[s.group:][:s.grid.Groups]
	}
	return k
}

// floats is ints for a kernel of floats.
func (f *format) floats(p *Params, s span, packed bool) kernels.FloatParams {
	k := kernels.FloatParams{
		Format: kernelFormat(f.dtype, packed), Dialect: kernelDialects[f.dialect], Scales: f.scales(), Rule: kernelRules[f.rule], Global: p.Global,
		Scale: p.Scale[s.group:][:s.grid.Groups],
	}
	if len(p.factor) > 0 {
		k.Factor = p.factor[s.group:][:s.grid.Groups]
	}
	return k
}

// kernelFormat is what the kernels call the format of codes that lie in bytes or are packed there.
func kernelFormat(d DType, packed bool) kernels.Format {
	info := d.info()
	if packed {
		return info.packed
	}
	return info.unpacked
}

// width is the number of bytes of a code that is not packed.
func (f *format) width() int { return max(1, f.dtype.Bits()/8) }

// roundScale rounds to the type of the scales.
func (f *format) roundScale(s float32) float32 {
	switch f.scale {
	case ScaleFloat16:
		return elementF16.round(s)
	case ScaleBFloat16:
		return elementBF16.round(s)
	case ScaleE4M3FN:
		return fp8.E4M3FNFromFloat32(s).Float32()
	}
	return s
}

// encode writes the codes of values that a user's own step made: the nearest code, 0 for NaN where the format has none.
func (f *format) encode(dst []byte, values []float32) {
	float := codeformat.Rows[rows[f.dtype].WholeBytes()].Float
	for i, v := range values {
		if float != nil {
			if v < f.min || v > f.max {
				v = float32(math.Copysign(float64(f.max), float64(v)))
			}
			dst[i] = float.Cast(v)
			continue
		}
		q := 0
		if v == v {
			q = int(min(max(math.RoundToEven(float64(v)), float64(f.min)), float64(f.max)))
		}
		if f.width() == 2 {
			binary.LittleEndian.PutUint16(dst[2*i:], uint16(q))
		} else {
			dst[i] = byte(q)
		}
	}
}

// element is the type that parameter arithmetic rounds to.
type element uint8

const (
	elementF32 element = iota
	elementF16
	elementBF16
)

// round rounds to the element type, half to even.
func (e element) round(x float32) float32 {
	if e == elementF32 {
		return x
	}
	return e.roundNarrow(x)
}

// arithmetic is how parameters come from ranges for tensors of an element type. choose is a value, not a case of a switch, so that a program
// links the kernels of the element types that it has.
type arithmetic struct {
	element element
	choose  func(f *format, p *Params, first int, low, high []float32)
	round   func(x []float32) // to the element type
}

func arithmeticOf[T kernels.Float]() arithmetic {
	return arithmetic{elementOf[T](), choose[T], roundAll[T]}
}

// choose computes the parameters of the groups from first on, from their ranges.
func choose[T kernels.Float](f *format, p *Params, first int, low, high []float32) {
	if f.gathers() { // these are all groups
		chooseGlobal[T](f, p, low, high)
	}
	if f.dtype.IsFloat() {
		r := f.floatRule(p, first, len(low), false)
		kernels.ChooseFloat[T](&r, low, high)
	} else {
		r := f.intRule(p, first, len(low), false)
		kernels.ChooseInt[T](&r, low, high)
	}
}

// intRule returns the rule by which a kernel chooses the parameters of some groups of integers.
func (f *format) intRule(p *Params, first, groups int, packed bool) kernels.IntRule {
	return kernels.IntRule{
		Format: kernelFormat(f.dtype, packed), Min: int(f.min), Max: int(f.max), Asymmetric: f.scheme == Asymmetric, ByMinval: f.minval,
		Scales: f.scales(), Dialect: kernelDialects[f.dialect],
		Scale: p.Scale[first:][:groups], ZeroPoint: part(p.ZeroPoint, first, groups), Minval: part(p.MinVal, first, groups),
	}
}

// scales is what the kernels call the type of the scales.
func (f *format) scales() kernels.ScaleType {
	switch f.scale {
	case ScaleE8M0:
		return kernels.ScaleE8M0
	case ScaleFloat16:
		return kernels.ScaleFloat16
	case ScaleBFloat16:
		return kernels.ScaleBFloat16
	case ScaleE4M3FN:
		if f.global {
			return kernels.ScaleE4M3FNGlobal
		}
		return kernels.ScaleE4M3FN
	}
	return kernels.ScaleAny
}

// floatRule is intRule for floats.
func (f *format) floatRule(p *Params, first, groups int, packed bool) kernels.FloatRule {
	r := kernels.FloatRule{
		Format: kernelFormat(f.dtype, packed), Dialect: kernelDialects[f.dialect], Scales: f.scales(), Rule: kernelRules[f.rule], Global: p.Global,
		Scale: p.Scale[first:][:groups],
	}
	if f.factors() {
		r.Factor = p.factor[first:][:groups]
	}
	return r
}

// part returns n elements of x, or none of none.
func part[E any](x []E, at, n int) []E {
	if x == nil {
		return nil
	}
	return x[at:][:n]
}
