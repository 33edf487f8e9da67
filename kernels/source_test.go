package kernels

import (
	"math"
	"unsafe"
)

// source makes inputs, the same ones from the same seed. Its numbers come from
// splitmix64: there are many, and rand.Rand takes longer than the kernels.
type source struct {
	state uint64
	wild  float64 // share of elements that are special values or arbitrary bits
	odd   float64 // share of scales that are not between 2^-80 and 2^100
}

func newSource(seed uint64) *source { return &source{state: seed << 32} }

func (r *source) Uint64() uint64 {
	r.state += 0x9e3779b97f4a7c15
	z := r.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func (r *source) Uint32() uint32          { return uint32(r.Uint64() >> 32) }
func (r *source) Uint32N(n uint32) uint32 { return uint32(uint64(r.Uint32()) * uint64(n) >> 32) }
func (r *source) IntN(n int) int          { return int(r.Uint32N(uint32(n))) }
func (r *source) Float64() float64        { return float64(r.Uint64()>>11) * 0x1p-53 }
func (r *source) bits() float32           { return math.Float32frombits(r.Uint32()) }

// mood chooses how wild the inputs of a trial are.
func (r *source) mood() {
	r.wild = []float64{0, 0.001, 0.02, 0.3}[r.IntN(4)]
	r.odd = []float64{0, 0, 0.2, 1}[r.IntN(4)]
}

var (
	inf = float32(math.Inf(1))
	nan = float32(math.NaN())
	neg = float32(math.Copysign(0, -1))
)

// specials are values at which arithmetic takes a turn.
var specials = []float32{
	0, neg, 1, -1, inf, -inf, nan, math.Float32frombits(0xffc12345), math.Float32frombits(0x7f800001),
	math.MaxFloat32, -math.MaxFloat32, 0x1p-126, -0x1p-126, 0x1.fffffcp-127, 0x1p-149, -0x1p-149,
	0x1p22, -0x1p22, 0x1.8p23, -0x1.8p23, 0x1p23 - 0.5, 0x1p24, 0x1p31, -0x1p31, 0x1p32, 0x1p63, 65504, 65519, 65520, -65520,
	0x1p-14, 0x1p-24, 0x1p-25, 0x1.000002p-25, 448, 464, -465, 57344, 61440, 6, -6, 7, 0.5, -0.5, 0.25, 1e-10, -1e-10, 1e10, -1e38,
}

func (r *source) special() float32 { return specials[r.IntN(len(specials))] }

// chance is true with that probability.
func (r *source) chance(p float64) bool { return p > 0 && r.Float64() < p }

// scale returns a scale.
func (r *source) scale() float32 {
	if r.chance(r.odd) {
		switch r.IntN(4) {
		case 0:
			return []float32{0, neg, inf, -inf, nan, -1, -0.01, 0x1p-149, 0x1p-126, 0x1p127, math.MaxFloat32}[r.IntN(11)]
		case 1:
			return r.bits()
		case 2: // too small
			return math.Float32frombits(r.Uint32N(47<<23) + 1)
		}
		return math.Float32frombits(228<<23 + r.Uint32N(27<<23)) // too large
	}
	switch r.IntN(8) {
	case 0:
		return []float32{0x1p-80, 0x1.000002p-80, 0x1p100, 0x1.fffffep99, 1, 0x1p-23}[r.IntN(6)]
	case 1:
		return float32(math.Ldexp(1, r.IntN(181)-80))
	case 2:
		return math.Float32frombits(47<<23 + r.Uint32N(180<<23))
	}
	return float32(math.Ldexp(1+r.Float64(), r.IntN(20)-14))
}

func (r *source) scales(s []float32) {
	same := r.IntN(3) == 0
	for i := range s {
		s[i] = r.scale()
		if same {
			s[i] = s[0]
		}
	}
}

func (r *source) zeroPoints(z []int32, lo, hi int) {
	for i := range z {
		switch r.IntN(4) {
		case 0:
			z[i] = int32(lo)
		case 1:
			z[i] = int32(hi)
		default:
			z[i] = int32(lo + r.IntN(hi-lo+1))
		}
	}
}

func (r *source) minvals(m, s []float32, codes int) {
	for i := range m {
		switch {
		case r.chance(r.odd / 4):
			m[i] = r.special()
		case r.IntN(8) == 0:
			m[i] = 0
		default:
			m[i] = -float32(r.Float64()*float64(codes)) * s[i]
		}
	}
}

// arbitrary fills x with values around 1.
func arbitrary[T Float](r *source, x []T) {
	for i := range x {
		switch {
		case r.chance(r.wild):
			x[i] = rounded[T](r.special())
			if r.IntN(2) == 0 {
				x[i] = fromBits[T](r.Uint32())
			}
		case r.IntN(4) == 0: // both zeros among them
			x[i] = rounded[T](float32(math.Copysign(float64(r.IntN(5)), r.Float64()-0.5)))
		default:
			x[i] = rounded[T](float32(4*r.Float64() - 2))
		}
	}
}

// nearInts fills x with values next to those at which the result of a group's
// parameters changes, with values between them and with wild ones.
func nearInts[T Float](r *source, x []T, g Grid, p *IntParams) {
	for i := range x {
		group, _ := g.group(i)
		s, qo, fo := p.group(group)
		lo, hi := float64(p.Min)-float64(qo), float64(p.Max)-float64(qo)
		var at float64
		switch r.IntN(4) {
		case 0: // a tie, the ends too
			at = lo + float64(r.IntN(int(hi-lo)+2)) - 0.5
		case 1: // an end
			at = []float64{lo - 0.5, hi + 0.5}[r.IntN(2)]
		case 2: // a code
			at = lo - 1 + float64(r.IntN(int(hi-lo)+3))
		default:
			at = lo - 2 + r.Float64()*(hi-lo+4)
		}
		near(r, &x[i], at*float64(s)+float64(fo))
	}
}

// turns are the values between which a format's codes change, and its largest value.
var turns = func() (t [formatsEnd][]float32) {
	for _, f := range floatFormats {
		values := floatValues(f)
		for i, v := range values[1:] {
			t[f] = append(t[f], (values[i]+v)/2)
		}
		t[f] = append(t[f], values[len(values)-1])
	}
	return t
}()

// floatFormats are the float formats, but that of those of six bits one is here
// with a code to a byte and the other packed.
var floatFormats = func() (list []Format) {
	for f := Int8; f < formatsEnd; f++ {
		if !f.isInt() && f != E3M2 && f != E2M3Packed {
			list = append(list, f)
		}
	}
	return list
}()

// floatValues returns the values of a format that are not negative, ascending.
func floatValues(f Format) (values []float32) {
	for _, v := range grids8[f] {
		values = append(values, float32(v))
	}
	return values
}

// nearFloats is nearInts for float formats.
func nearFloats[T Float](r *source, x []T, g Grid, p *FloatParams) {
	for i := range x {
		group, _ := g.group(i)
		t := turns[p.Format]
		var at float32
		switch r.IntN(4) {
		case 0, 1:
			at = t[r.IntN(len(t))]
		case 2:
			at = t[len(t)-1]
		default:
			at = t[len(t)-1] * float32(1.2*r.Float64())
		}
		if r.IntN(2) == 0 {
			at = -at
		}
		near(r, &x[i], float64(at)*float64(p.Scale[group]))
	}
}

// near sets x within 3 ulp of a value, or to something wild.
func near[T Float](r *source, x *T, value float64) {
	switch {
	case !r.chance(r.wild):
		*x = neighbour(rounded[T](float32(value)), r.IntN(7)-3)
	case r.IntN(2) == 0:
		*x = rounded[T](r.special())
	default:
		*x = fromBits[T](r.Uint32())
	}
}

// fromBits returns the element with those bits, the lower ones of b.
func fromBits[T Float](b uint32) T {
	if unsafe.Sizeof(*new(T)) == 4 {
		return *(*T)(unsafe.Pointer(&b))
	}
	h := uint16(b)
	return *(*T)(unsafe.Pointer(&h))
}

// bitsOf returns an element's bits.
func bitsOf[T Float](x T) uint32 {
	if unsafe.Sizeof(x) == 4 {
		return *(*uint32)(unsafe.Pointer(&x))
	}
	return uint32(*(*uint16)(unsafe.Pointer(&x)))
}

// neighbour returns the n-th element after x in the order of values.
func neighbour[T Float](x T, n int) T {
	sign := uint32(1) << (8*unsafe.Sizeof(x) - 1)
	b := bitsOf(x)
	m := int64(b &^ sign)
	if b&sign != 0 {
		m = -m
	}
	if m += int64(n); m < 0 {
		return fromBits[T](uint32(-m) | sign)
	}
	return fromBits[T](uint32(m))
}
