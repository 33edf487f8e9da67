package kernels

import (
	"math"

	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
)

// The portable implementation. It is what the others are held against, so it
// says the formula and nothing else: no product with a reciprocal, no order of
// operations but the formula's own. A conversion float32(a*b) keeps Go from
// contracting a*b + c.
//
// It goes over a slice in pieces, so that two-byte elements can be widened into
// a buffer on the stack. A piece begins at a whole byte of a bit mask and of
// packed codes.
const pieceLen = 256

// piece is the buffer of a piece.
type piece struct {
	x, y   [pieceLen]float32
	inside [pieceLen]byte
}

// widen returns the values of x: x itself, or a copy in buf.
func widen[T Float](buf *[pieceLen]float32, x []T) []float32 {
	switch x := any(x).(type) {
	case []float32:
		return x
	case []float16.Float16:
		for i, v := range x {
			buf[i] = v.Float32()
		}
	case []bf16.BFloat16:
		for i, v := range x {
			buf[i] = v.Float32()
		}
	}
	return buf[:len(x)]
}

// room returns where the results for y are computed: y itself, or buf.
func room[T Float](buf *[pieceLen]float32, y []T) []float32 {
	if y, ok := any(y).([]float32); ok {
		return y
	}
	return buf[:len(y)]
}

// round rounds results to y's type; room made those of a float32 y in place.
func round[T Float](y []T, results []float32) {
	for i, v := range results {
		y[i] = rounded[T](v)
	}
}

// The NaNs that arithmetic gives; machines differ in theirs.
var nan32 = math.Float32frombits(0x7FC00000)

const nan16 float16.Float16 = 0x7E00

// oneNaN is x, or the NaN that arithmetic gives.
func oneNaN(x float32) float32 {
	if x != x {
		return nan32
	}
	return x
}

// value returns an element's value.
func value[T Float](x T) float32 {
	switch x := any(x).(type) {
	case float16.Float16:
		return x.Float32()
	case bf16.BFloat16:
		return x.Float32()
	}
	return any(x).(float32)
}

// rounded rounds a result to an element's type.
func rounded[T Float](result float32) (y T) {
	switch y := any(&y).(type) {
	case *float32:
		*y = oneNaN(result)
	case *float16.Float16:
		*y = float16.Fromfloat32(result)
		if result != result {
			*y = nan16
		}
	case *bf16.BFloat16:
		*y = bf16.FromFloat32(oneNaN(result))
	}
	return y
}

// put writes the flags of the elements from at on.
func (m Mask) put(at int, inside []byte) {
	switch m.kind {
	case byteMask:
		copy(m.data[at:], inside)
	case bitMask:
		out := m.data[at/8:]
		for i, b := range inside {
			if i%8 == 0 {
				out[i/8] = 0
			}
			out[i/8] |= b << (i % 8)
		}
	}
}

// at returns the factor by which the gradient of element i is multiplied.
func (m Mask) at(i int) float32 {
	switch m.kind {
	case byteMask:
		return float32(m.data[i])
	case bitMask:
		return float32(m.data[i/8] >> (i % 8) & 1)
	}
	return 1
}

func roundToEven(x float32) float32 { return float32(math.RoundToEven(float64(x))) }

// clamp keeps a NaN.
func clamp(x, lo, hi float32) float32 { return min(max(x, lo), hi) }

func bit(b bool) byte {
	if b {
		return 1
	}
	return 0
}
