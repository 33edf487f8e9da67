package kernels

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/fp4"
	"github.com/lowbit-go/lowbit/fp8"
)

// TestCodesInBytes writes and reads the codes of every format as bytes and as
// slices of the types that can hold them: the memory is the same.
func TestCodesInBytes(t *testing.T) {
	x := []float32{0.4, -0.6, 1.5, 2.5, -3, 7, 6.4, -8, 100, -100, 0}
	g := Grid{Rows: 1, Groups: 1, Len: len(x)}
	scale := []float32{1}
	forEachImplementation(t, func(t *testing.T) {
		y, want := make([]float32, len(x)), make([]float32, len(x))

		signed, inBytes := make([]int8, len(x)), make([]byte, len(x))
		own, named := &IntParams{Min: -8, Max: 7, Scale: scale}, &IntParams{Format: Int8, Min: -8, Max: 7, Scale: scale}
		QuantizeInt(signed, x, g, own)
		QuantizeInt(inBytes, x, g, named)
		assert.Equal(t, []int8{0, -1, 2, 2, -3, 7, 6, -8, 7, -8, 0}, signed)
		assert.Equal(t, bytesOf(signed), inBytes)
		DequantizeInt(y, inBytes, g, named)
		DequantizeInt(want, signed, g, own)
		assert.Equal(t, []float32{0, -1, 2, 2, -3, 7, 6, -8, 7, -8, 0}, y)
		assert.Equal(t, want, y)
		rule := IntRule{Format: Int8, Min: -8, Max: 7, Scale: []float32{0}}
		DynamicInt(inBytes, x, g, &rule)
		DynamicInt(signed, x, g, &IntRule{Min: -8, Max: 7, Scale: []float32{0}})
		assert.Equal(t, bytesOf(signed), inBytes)

		floatCodes[fp8.E4M3FN](t, E4M3FN, x, g)
		floatCodes[fp8.E4M3FN](t, E2M1, x, g)
		floatCodes[fp8.E5M2](t, E5M2, x, g)
		floatCodes[fp4.Pair](t, E2M1Packed, x, g)
	})
}

func floatCodes[C FloatCode](t *testing.T, f Format, x []float32, g Grid) {
	p := &FloatParams{Format: f, Scale: []float32{1}}
	typed, inBytes := make([]C, f.Bytes(len(x))), make([]byte, f.Bytes(len(x)))
	QuantizeFloat(typed, x, g, p)
	QuantizeFloat(inBytes, x, g, p)
	assert.Equal(t, inBytes, bytesOf(typed), "%v", f)
	y, want := make([]float32, len(x)), make([]float32, len(x))
	DequantizeFloat(y, typed, g, p)
	DequantizeFloat(want, inBytes, g, p)
	assert.Equal(t, want, y, "%v", f)
	assert.Equal(t, []float32{1.5, -3, 6, 0}, []float32{y[2], y[4], min(y[8], 6), y[10]}, "%v", f)
	DynamicFloat(typed, x, g, &FloatRule{Format: f, Scale: []float32{0}})
	DynamicFloat(inBytes, x, g, &FloatRule{Format: f, Scale: []float32{0}})
	assert.Equal(t, inBytes, bytesOf(typed), "%v", f)
}

// TestParamsStay shows that kernels write nothing to their parameters, so that
// goroutines may share them: zero points of zeros stay, although nothing is done with them.
func TestParamsStay(t *testing.T) {
	x, q := []float32{1, 2}, make([]int8, 2)
	g := Grid{Rows: 1, Groups: 1, Len: 2}
	p := IntParams{Min: -8, Max: 7, Scale: []float32{1}, ZeroPoint: []int32{0}}
	QuantizeInt(q, x, g, &p)
	DequantizeInt(x, q, g, &p)
	FakeQuantizeInt(x, NoMask, x, g, &p)
	require.Equal(t, IntParams{Min: -8, Max: 7, Scale: []float32{1}, ZeroPoint: []int32{0}}, p)
}
