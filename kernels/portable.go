package kernels

import (
	"encoding/binary"
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
	x, y  [pieceLen]float32
	codes [pieceLen]byte
}

// widen returns the values of x: x itself, or a copy in buf.
func widen[T Float](buf []float32, x []T) []float32 {
	switch x := any(x).(type) {
	case []float32:
		return x
	case []float16.Float16:
		decodeFloat16s(buf, x)
	case []bf16.BFloat16:
		portableConvert(buf[:len(x)], x, bf16.BFloat16.Float32)
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

// round rounds results to y's type; room made those of a float32 y in place. All NaNs are the one that arithmetic gives.
func round[T Float](y []T, results []float32) {
	switch y := any(y).(type) {
	case []float16.Float16:
		encodeFloat16s(y, results)
	case []bf16.BFloat16:
		portableConvert(y, results, bf16.FromFloat32)
	}
}

// through rounds numbers to T, and leaves them float32s.
func through[T Float](x []float32) {
	var narrow [pieceLen]T
	if _, wide := any(narrow[0]).(float32); !wide {
		round(narrow[:len(x)], x)
		widen(x, narrow[:len(x)])
	}
}

// The NaNs that arithmetic gives; machines differ in theirs.
var nan32 = math.Float32frombits(0x7FC00000)

const nan16 float16.Float16 = 0x7E00

// oneNaN is x, or the NaN that arithmetic gives.
func oneNaN(x float32) float32 {
	if x != x {
		return theNaN()
	}
	return x
}

// A branch with a call is taken for the one that is seldom, and the other is laid out
// without a jump. These are such calls.

//go:noinline
func theNaN() float32 { return nan32 }

//go:noinline
func roundLarge(x float32) float32 { return float32(math.RoundToEven(float64(x))) }

//go:noinline
func clip(x, lo, hi float32) float32 { return clamp(x, lo, hi) }

//go:noinline
func clippedCode(x, lo, hi float32) int32 {
	if x != x {
		return 0
	}
	return int32(clamp(x, lo, hi))
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

// put writes which of the values from element at on are within a range.
func (m Mask) put(at int, values []float32, lo, hi float32) {
	switch m.kind {
	case byteMask:
		inside := m.data[at:][:len(values)]
		for i, v := range values {
			inside[i] = bit(lo <= v) & bit(v <= hi)
		}
	case bitMask:
		inside := m.data[at/8:]
		for i := 0; i < len(values); i += 8 {
			b := byte(0)
			for k, v := range values[i:min(i+8, len(values))] {
				b |= bit(lo <= v) & bit(v <= hi) << k
			}
			inside[i/8] = b
		}
	}
}

// factors returns what the gradients of elements from at on, as many as there are in a piece, are multiplied by, 0 or 1:
// a byte each, in buf if they lie otherwise.
func (m Mask) factors(buf *[pieceLen]byte, at int) []byte {
	const every = 0x0101010101010101
	switch m.kind {
	case byteMask:
		return m.data[at:]
	case bitMask: // each byte of a word keeps its bit, and is 1 if it has one
		for i, b := range m.data[at/8 : min(at/8+pieceLen/8, len(m.data))] {
			w := uint64(b) * every & 0x8040201008040201
			binary.LittleEndian.PutUint64(buf[8*i:], (w+every*0x7f)>>7&every)
		}
	default:
		for i := range buf {
			buf[i] = 1
		}
	}
	return buf[:]
}

// roundToEven may drop the sign of a zero.
func roundToEven(x float32) float32 {
	const half, ruler = 127 + 22, 3 << 22 // a sum with the ruler has the last place 1
	if math.Float32bits(x)<<1 >= half<<24 {
		return roundLarge(x)
	}
	return x + ruler - ruler
}

// clamp keeps a NaN.
func clamp(x, lo, hi float32) float32 { return min(max(x, lo), hi) }

// within is clamp for numbers that are seldom clipped.
func within(x, lo, hi float32) float32 {
	if !(lo <= x && x <= hi) {
		return clip(x, lo, hi)
	}
	return x
}

func bit(b bool) byte {
	if b {
		return 1
	}
	return 0
}
