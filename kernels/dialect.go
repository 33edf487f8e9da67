package kernels

import (
	"fmt"
	"math"

	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/fp4"
	"github.com/lowbit-go/lowbit/fp8"
)

// Dialect says whose arithmetic a rule and its parameters are, where libraries
// differ: see the table in the package comment.
type Dialect uint8

// The dialects.
const (
	Reference            Dialect = iota // coreai-opt 0.4.0
	TorchAO                             // torchao 0.18.0, MX and NVFP4
	ModelOpt                            // nvidia-modelopt 0.47.0, MX and NVFP4
	CompressedTensors                   // compressed-tensors 0.20.0 on a CPU: the quotient is rounded to the tensor's type
	CompressedTensorsF32                // the same library on a GPU: the quotient is a float32
	Transformers                        // transformers 5.24.0, E4M3FN
	Torch                               // torch 2.15.0, fake_quantize of integers

	dialectsEnd
)

// String returns the name of the constant.
func (d Dialect) String() string {
	if d >= dialectsEnd {
		return fmt.Sprintf("Dialect(%d)", uint8(d))
	}
	return [...]string{"Reference", "TorchAO", "ModelOpt", "CompressedTensors", "CompressedTensorsF32", "Transformers", "Torch"}[d]
}

// ScaleRule says how TorchAO rounds the exponent of a power-of-two scale.
type ScaleRule uint8

// The rules.
const (
	ScaleFloor ScaleRule = iota // that of the largest magnitude, less that of the format's largest value
	ScaleEven                   // the same of the largest magnitude rounded to the format's mantissa bits
	ScaleCeil                   // the next power of two, unless the largest magnitude is one
	ScaleRCeil                  // the next one above the largest magnitude over the format's largest value, by a rounded logarithm

	scaleRulesEnd
)

// String returns the name of the constant.
func (r ScaleRule) String() string {
	if r >= scaleRulesEnd {
		return fmt.Sprintf("ScaleRule(%d)", uint8(r))
	}
	return [...]string{"ScaleFloor", "ScaleEven", "ScaleCeil", "ScaleRCeil"}[r]
}

// method is how the scales of a float format come about and how elements become
// codes by them.
type method struct {
	dialect Dialect
	scales  ScaleType
	rule    ScaleRule
	global  float32
	inverse float32 // of global
	format  *description
	fp4     bool
}

func (r *FloatRule) method() method {
	return method{r.Dialect, r.Scales, r.Rule, r.Global, 1 / r.Global, &formats[r.Format], r.Format == E2M1 || r.Format == E2M1Packed}
}

func (p *FloatParams) method() method {
	return method{p.Dialect, p.Scales, p.Rule, p.Global, 1 / p.Global, &formats[p.Format], p.Format == E2M1 || p.Format == E2M1Packed}
}

// check panics unless the dialect has such scales for the format.
func (m method) check(kernel string, f Format) {
	ct := m.dialect == CompressedTensors || m.dialect == CompressedTensorsF32
	ok := false
	switch m.scales {
	case ScaleAny:
		ok = m.dialect == Reference || (ct || m.dialect == Transformers) && f == E4M3FN
	case ScaleE8M0:
		switch m.dialect {
		case Reference, TorchAO:
			ok = true
		case ModelOpt:
			ok = m.fp4 || f == E4M3FN
		case CompressedTensors, CompressedTensorsF32:
			ok = m.fp4 || f == E2M3 || f == E2M3Packed || f == E4M3FN
		case Transformers:
			ok = f == E4M3FN
		}
	case ScaleE4M3FN:
		ok = m.dialect == TorchAO && m.fp4
	case ScaleE4M3FNGlobal:
		ok = m.fp4 && (ct || m.dialect == TorchAO || m.dialect == ModelOpt)
	}
	if !ok {
		fail(kernel, "%v has no %v for %v", m.dialect, m.scales, f)
	}
	if m.rule != ScaleFloor && (m.dialect != TorchAO || m.scales != ScaleE8M0 || m.rule >= scaleRulesEnd) {
		fail(kernel, "%v has no %v for %v", m.dialect, m.rule, m.scales)
	}
}

// given reports whether factors do not always follow from scales, so that a rule
// has to be given room for them.
func (m method) given() bool {
	switch m.dialect {
	case Transformers:
		return m.scales == ScaleAny
	case CompressedTensors, CompressedTensorsF32:
		return m.scales == ScaleE8M0
	}
	return false
}

// multiplies reports whether elements are multiplied by factors; else they are divided.
func (m method) multiplies() bool {
	switch {
	case m.dialect == Reference:
		return false
	case m.scales == ScaleE8M0 || m.dialect == Transformers:
		return true
	}
	return m.dialect == TorchAO
}

// plusZero reports whether an element whose quotient is -0 becomes +0.
func (m method) plusZero() bool {
	ct := m.dialect == CompressedTensors || m.dialect == CompressedTensorsF32
	return m.fp4 && (ct || m.dialect == ModelOpt && m.scales == ScaleE4M3FNGlobal)
}

// towardZero reports whether ties go toward zero, and zero becomes -0.
func (m method) towardZero() bool { return m.fp4 && m.dialect == ModelOpt && m.scales == ScaleE8M0 }

// plain reports whether codes are those of the quotients rounded half to even.
func (m method) plain() bool { return !m.plusZero() && !m.towardZero() }

// rounds reports whether quotients are rounded to the tensor's type.
func (m method) rounds() bool { return m.dialect == CompressedTensors }

// narrows reports whether quotients are rounded to a T, which is no float32.
func narrows[T Float](d Dialect) bool {
	_, wide := any(*new(T)).(float32)
	return d == CompressedTensors && !wide
}

// quotients sets r to what elements of a group become before they are clamped.
func quotients[T Float](m *method, r, x []float32, factor float32) {
	r = r[:len(x)]
	if m.multiplies() {
		for i, x := range x {
			r[i] = x * factor
		}
	} else {
		for i, x := range x {
			r[i] = x / factor
		}
	}
	if m.rounds() && m.scales != ScaleE4M3FNGlobal {
		through[T](r)
	}
}

// adjust prepares quotients of which the nearest codes are not the dialect's.
func (m *method) adjust(quotients []float32) {
	switch {
	case m.towardZero():
		for i, v := range quotients {
			c := fp4.E2M1(0)
			for _, middle := range [...]float32{.25, .75, 1.25, 1.75, 2.5, 3.5, 5} {
				if v > middle || v < -middle {
					c++
				}
			}
			if quotients[i] = c.Float32(); !(v > 0) {
				quotients[i] = -quotients[i]
			}
			if v != v {
				quotients[i] = v
			}
		}
	case m.plusZero():
		for i := range quotients {
			quotients[i] += 0
		}
	}
}

// replaces reports whether the dialect has codes for quotients that are NaN.
func (m *method) replaces() bool { return m.fp4 && (m.dialect == ModelOpt || m.dialect == TorchAO) }

// replaceNaNs makes numbers of quotients that are NaN where dialects have codes for them. Those of elements that are NaN
// themselves stay, unless it is for E2M1Packed, which has no NaN.
func (m *method) replaceNaNs(quotients, x []float32, factor float32, packed bool) {
	for i, v := range quotients {
		switch {
		case v == v:
		case m.dialect == ModelOpt && (packed || x[i] == x[i] && factor == factor):
			quotients[i] = fp4.E2M1Max
		case m.dialect == TorchAO && x[i] == 0 && factor == factor:
			quotients[i] = zeroTimesInf
		}
	}
}

// zeroTimesInf is the E2M1 that torchao's integer arithmetic makes of the NaN that
// zero times an infinite factor is, one with a sign as amd64 makes it.
const zeroTimesInf = -1.5

// chooseScale returns the scale of a group whose largest magnitude is most, and the
// factor that its elements are multiplied with or divided by.
func chooseScale[T Float](m *method, most float32) (scale, factor float32) {
	switch m.scales {
	case ScaleE8M0:
		return chooseE8M0[T](m, most)
	case ScaleE4M3FN, ScaleE4M3FNGlobal:
		scale = chooseE4M3FN[T](m, most).Float32()
		return scale, factorOf[T](m, scale)
	}
	if m.dialect == Transformers {
		factor = 1
		if most > 0 {
			factor = float32(1/most) * fp8.E4M3FNMax
		}
		return 1 / factor, factor
	}
	scale = notZero[T](to[T](most / m.format.largest))
	return scale, scale
}

// notZero makes a scale of 0 the epsilon of T, as compressed-tensors does.
func notZero[T Float](scale float32) float32 {
	if scale != 0 {
		return scale
	}
	switch any(*new(T)).(type) {
	case float16.Float16:
		return 0x1p-10
	case bf16.BFloat16:
		return bf16.Epsilon
	}
	return 0x1p-23
}

// factorOf returns the factor of a scale from elsewhere.
func factorOf[T Float](m *method, scale float32) float32 {
	switch m.scales {
	case ScaleE8M0:
		return factorOfE8M0[T](m, scale)
	case ScaleE4M3FN, ScaleE4M3FNGlobal:
		switch m.dialect {
		case TorchAO:
			if m.scales == ScaleE4M3FN {
				return 1 / scale
			}
			return m.inverse / scale
		case ModelOpt:
			return scale * m.global
		}
		return scale / m.global
	}
	if m.dialect == Transformers {
		return 1 / scale
	}
	return scale
}

// factor returns the factor of a group.
func factorAt[T Float](p *FloatParams, m *method, group int) float32 {
	switch {
	case p.Factor != nil:
		return p.Factor[group]
	case m.dialect == Reference:
		return p.Scale[group]
	}
	return factorOf[T](m, p.Scale[group])
}

// valueScale returns what the values of codes are multiplied with.
func (m *method) valueScale(scale float32) float32 {
	times, over := m.twoLevels()
	return float32(scale*times) / over
}

// twoLevels returns what a scale is multiplied with and divided by for that.
func (m *method) twoLevels() (times, over float32) {
	switch {
	case m.scales != ScaleE4M3FNGlobal:
		return 1, 1
	case m.dialect == TorchAO || m.dialect == ModelOpt:
		return m.global, 1
	}
	return 1, m.global
}

// chooseE8M0 chooses a power of two. Its byte is that of fp8.E8M0.
func chooseE8M0[T Float](m *method, most float32) (scale, factor float32) {
	f := m.format
	bits := math.Float32bits(most)
	var b int
	switch nan := most != most; {
	case m.dialect == TorchAO && m.rule != ScaleRCeil:
		switch { // step says where the mantissa ends
		case nan:
			b = 255
		case m.rule == ScaleEven:
			b = int((bits+1<<(f.step>>23-1))>>23) - f.maxExp
		case m.rule == ScaleCeil && bits&(1<<23-1) > 0:
			b = int(bits>>23) + 1 - f.maxExp
		default:
			b = int(bits>>23) - f.maxExp
		}
		b = max(b, 0)
	case nan:
		b = 255
	case m.dialect == CompressedTensors || m.dialect == CompressedTensorsF32:
		return chooseCompressed[T](m, bits)
	case m.dialect == Transformers:
		s := float32(1)
		if most > 0 {
			s = float32(1/most) * fp8.E4M3FNMax
		}
		b = ceilLog2(min(max(1/s, 0x1p-126), math.MaxFloat32)) + 127
	case math.IsInf(float64(most), 0):
		b = 254
		if m.towardZero() { // nothing limits the exponent of these
			b = 255
		}
	default:
		b = min(ceilLog2(most/f.largest), 127) + 127
	}
	scale = fp8.E8M0(b).Float32()
	return scale, factorOfE8M0[T](m, scale)
}

// chooseCompressed chooses a power of two as compressed-tensors does: the exponent
// of the magnitude rounded to one mantissa bit, or to three for six-bit floats. It
// rounds the scale to T; one that is infinite there is stored as 1. The magnitude is
// rounded as a T: a float16 that is subnormal even then has the scale 1.
func chooseCompressed[T Float](m *method, most uint32) (scale, factor float32) {
	mantissa, below := m.compressedPower()
	field := int((most + 1<<(22-mantissa)) >> 23)
	if _, half := any(*new(T)).(float16.Float16); half {
		e := (int(float16.Fromfloat32(math.Float32frombits(most)).Bits()) + 1<<(9-mantissa)) >> 10
		switch e {
		case 0:
			return 1, 1
		case 31:
			return 1, 0
		}
		field = e + 127 - 15
	}
	b := max(field-int(below), 0)
	s := to[T](float32(math.Ldexp(1, b-127)))
	if field == 255 || math.IsInf(float64(s), 0) {
		return 1, 0
	}
	return fp8.E8M0(b).Float32(), 1 / notZero[T](s)
}

// compressedPower returns to how many bits of its mantissa the largest magnitude is
// rounded, and by how much its exponent is less.
func (m *method) compressedPower() (mantissa, below int32) {
	switch {
	case m.format.width == 6:
		return 3, 2
	case m.fp4:
		return 1, 2
	}
	return 1, 8
}

// factorOfE8M0 returns what elements are multiplied with: the inverse of a power
// of two, in the limits of each dialect.
func factorOfE8M0[T Float](m *method, scale float32) float32 {
	switch {
	case scale != scale && m.dialect == TorchAO && m.rule != ScaleRCeil:
		return 0 // that of infinity
	case scale != scale:
		return scale
	case m.dialect == TorchAO && m.rule == ScaleRCeil && scale == 0x1p-127:
		return 1
	case m.dialect == TorchAO && m.rule != ScaleRCeil:
		return 1 / max(scale, 0x1p-126)
	case m.dialect == CompressedTensors || m.dialect == CompressedTensorsF32:
		return 1 / notZero[T](to[T](scale))
	}
	return 1 / scale
}

// chooseE4M3FN chooses a scale of NVFP4.
func chooseE4M3FN[T Float](m *method, most float32) fp8.E4M3FN {
	s := most / fp4.E2M1Max
	least := float32(fp8.E4M3FNSmallestNormal)
	switch m.dialect {
	case TorchAO:
		if m.scales == ScaleE4M3FNGlobal {
			s /= m.global
		}
	case ModelOpt:
		s = most / float32(fp4.E2M1Max*m.global)
		if s == 0 {
			s = 1
		}
		least = fp8.E4M3FNSmallestSubnormal
	default:
		s = float32(m.global * to[T](s))
		if c := fp8.E4M3FNFromFloat32Sat(s); !c.IsZero() {
			return c
		}
		return fp8.E4M3FNFromFloat32(0.125)
	}
	return fp8.E4M3FNFromFloat32Sat(max(s, least))
}

// GlobalScale returns what a tensor of T whose largest magnitude is most has as the
// Global of ScaleE4M3FNGlobal:
//
//	TorchAO, ModelOpt                          most / 2688            the scale of the scales
//	CompressedTensors, CompressedTensorsF32    (1/most) * 2688        its inverse; each operation is rounded to T
//
// where 2688 is 448*6. In the second most is at least T's smallest normal number,
// and what comes out infinite or NaN is 1.
func GlobalScale[T Float](d Dialect, most float32) float32 {
	const largest = fp8.E4M3FNMax * fp4.E2M1Max
	switch d {
	case TorchAO, ModelOpt:
		return most / largest
	case CompressedTensors, CompressedTensorsF32:
	default:
		fail("GlobalScale", "%v has no ScaleE4M3FNGlobal", d)
	}
	least := float32(0x1p-126)
	if _, half := any(*new(T)).(float16.Float16); half {
		least = 0x1p-14
	}
	g := to[T](to[T](1/max(most, least)) * largest)
	if !(math.Abs(float64(g)) <= math.MaxFloat32) {
		return 1
	}
	return g
}

// ceilLog2 returns the ceiling of the logarithm of x rounded to float32, at least
// -127: a little above a power of two the logarithm is still that power's. x is
// not negative, and finite.
func ceilLog2(x float32) int {
	b := math.Float32bits(x)
	e := int(b>>23) - 127
	if b > sameLog2[b>>23] {
		e++
	}
	return e
}

// sameLog2 has, for each exponent field, the bits of the largest number whose
// rounded logarithm is the exponent's, or is less than -127.
var sameLog2 = func() (last [255]uint32) {
	for field := range last {
		e := float32(field - 127)
		gap := float64(math.Nextafter32(e, 200)) - float64(e)
		first, unit := uint32(field)<<23, 0x1p-23
		if field == 0 {
			first, unit = 1<<22, 0x1p-22 // subnormal numbers, from 2^-127 on
		}
		n := uint32(0)
		for math.Log1p(float64(n+1)*unit)/math.Ln2 < gap/2 { // never equal: it is irrational
			n++
		}
		last[field] = first + n
	}
	return last
}()
