package kernels

import (
	"unsafe"

	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/fp8"
)

const leastScale = 0x1p-23

// to rounds to T.
func to[T Float](x float32) float32 {
	if unsafe.Sizeof(*new(T)) == 4 { // where there is nothing to round
		return oneNaN(x)
	}
	return narrowed[T](x)
}

func narrowed[T Float](x float32) float32 { return value(rounded[T](x)) }

func portableChooseInt[T Float](r *IntRule, low, high []float32) {
	n, least, greatest := r.steps(), float32(r.Min), float32(r.Max)
	for i := range low {
		lo, hi := min(low[i], 0), max(high[i], 0)
		if r.compressed() {
			portableChooseCompressed[T](r, i, lo, hi)
			continue
		}
		var s, minval float32
		zeroPoint := r.middle()
		if r.Asymmetric {
			s = r.stored(max(to[T](to[T](hi-lo)/n), leastScale))
			z := clamp(to[T](least-to[T](roundToEven(to[T](lo/s)))), least, greatest)
			if z != z {
				z = 0
			}
			zeroPoint, minval = int32(z), r.stored(lo+0)
		} else {
			most := max(-lo, hi)
			if r.Scales == ScaleE8M0 {
				s = fp8.E8M0Scale(most, int8MaxExp).Float32()
			} else {
				s = r.stored(max(to[T](most/(n/2)), leastScale))
			}
			minval = r.stored(0 - most)
		}
		r.Scale[i] = oneNaN(s)
		if r.ZeroPoint != nil {
			r.ZeroPoint[i] = zeroPoint
		}
		if r.Minval != nil {
			r.Minval[i] = oneNaN(minval)
		}
	}
}

// stored rounds a scale or a minval to the type that it is asked to have.
func (r *IntRule) stored(x float32) float32 {
	switch r.Scales {
	case ScaleFloat16:
		return to[float16.Float16](x)
	case ScaleBFloat16:
		return to[bf16.BFloat16](x)
	}
	return x
}

// portableChooseCompressed chooses a group's parameters as compressed-tensors does:
// a scale is 0 until the zero point has followed from it, and then the epsilon of T.
func portableChooseCompressed[T Float](r *IntRule, i int, lo, hi float32) {
	var s, z float32
	if r.Asymmetric {
		s = to[T](to[T](hi-lo) / r.steps())
		z = clamp(to[T](float32(r.Min)-to[T](lo/s)), float32(r.Min), float32(r.Max))
		if z = roundToEven(z); z != z {
			z = 0
		}
	} else {
		s = to[T](max(-lo, hi) / (r.steps() / 2))
	}
	r.Scale[i] = oneNaN(notZero[T](s))
	if r.ZeroPoint != nil {
		r.ZeroPoint[i] = int32(z)
	}
	if r.Minval != nil {
		r.Minval[i] = lo + 0
	}
}

func portableChooseFloat[T Float](r *FloatRule, low, high []float32) {
	m := r.method()
	for i := range low {
		most := max(-min(low[i], 0), max(high[i], 0))
		switch {
		case r.Dialect != Reference:
			scale, factor := chooseScale[T](&m, most)
			r.Scale[i] = oneNaN(scale)
			if r.Factor != nil {
				r.Factor[i] = factor
			}
			continue
		case r.Scales == ScaleE8M0:
			r.Scale[i] = fp8.E8M0Scale(most, formats[r.Format].maxExp).Float32()
		default:
			r.Scale[i] = oneNaN(max(to[T](most/r.Format.Max()), leastScale))
		}
		if r.Factor != nil {
			r.Factor[i] = r.Scale[i]
		}
	}
}

func portableObserveInt[T Float](src []T, g Grid, r *IntRule) {
	var low, high [pieceLen]float32
	for first := 0; first < g.Groups; first += pieceLen {
		n := min(pieceLen, g.Groups-first)
		portableRanges(low[:n], high[:n], src, g, first)
		part := r.part(first, n)
		portableChooseInt[T](&part, low[:n], high[:n])
	}
}

func portableObserveFloat[T Float](src []T, g Grid, r *FloatRule) {
	var low, high [pieceLen]float32
	for first := 0; first < g.Groups; first += pieceLen {
		n := min(pieceLen, g.Groups-first)
		portableRanges(low[:n], high[:n], src, g, first)
		part := r.part(first, n)
		portableChooseFloat[T](&part, low[:n], high[:n])
	}
}

// portableRanges finds the ranges of the groups from first on, at most pieceLen.
func portableRanges[T Float](low, high []float32, src []T, g Grid, first int) {
	var lows, highs [pieceLen]T
	n := len(low)
	for row := range g.Rows {
		portableMinMax(lows[:n], highs[:n], src[(row*g.Groups+first)*g.Len:][:n*g.Len], Grid{1, n, g.Len})
		for i := range n {
			lo, hi := value(lows[i]), value(highs[i])
			if row > 0 {
				lo, hi = min(lo, low[i]), max(hi, high[i])
			}
			low[i], high[i] = lo, hi
		}
	}
}
