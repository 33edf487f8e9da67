package kernels

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/fp4"
	"github.com/lowbit-go/lowbit/fp8"
)

func TestView(t *testing.T) {
	memory := make([]float32, 4) // aligned for every type
	b := view4(memory)
	copy(b, []byte{0x00, 0x3c, 0x80, 0x3f, 1, 2, 3, 4})

	t.Run("a byte", func(t *testing.T) {
		checkView(t, b[:3], []int8{0x00, 0x3c, -0x80})
		checkView(t, b[1:3], []uint8{0x3c, 0x80})
		checkView(t, b[1:3], []fp8.E4M3FN{0x3c, 0x80})
		checkView(t, b[1:3], []fp8.E5M2{0x3c, 0x80})
		checkView(t, b[1:3], []fp8.E8M0{0x3c, 0x80})
		checkView(t, b[1:3], []fp4.Pair{0x3c, 0x80})
		checkView(t, []byte{}, []int8{})
	})
	if bigEndian {
		_, err := View[bf16.BFloat16](b[:4])
		assert.ErrorContains(t, err, "bf16.BFloat16 is little-endian in bytes, and this machine is big-endian")
		_, err = ViewBytes(memory)
		assert.ErrorContains(t, err, "this machine is big-endian")
		return
	}
	checkView(t, b[:4], []float16.Float16{0x3c00, 0x3f80})
	checkView(t, b[2:4], []bf16.BFloat16{0x3f80})
	checkView(t, b[4:8], []int32{0x04030201})
	checkView(t, b[:0], []float32{})

	_, err := View[float16.Float16](b[:3])
	assert.EqualError(t, err, "kernels: View: 3 bytes are not a whole number of float16.Float16, which has 2")
	_, err = View[bf16.BFloat16](b[1:5])
	assert.ErrorContains(t, err, "which is not a multiple of the 2 bytes of bf16.BFloat16")
	_, err = View[float32](b[2:6])
	assert.ErrorContains(t, err, "which is not a multiple of the 4 bytes of float32")
	empty, err := View[float32](b[1:1])
	assert.NoError(t, err)
	assert.Empty(t, empty)
	empty, err = View[float32](nil)
	assert.NoError(t, err)
	assert.Empty(t, empty)
}

// checkView views bytes as numbers and back, and sees that memory is shared and
// that nothing behind them can be reached.
func checkView[E Viewable](t *testing.T, b []byte, want []E) {
	t.Helper()
	got, err := View[E](b)
	require.NoError(t, err)
	assert.Equal(t, want, got)
	assert.Equal(t, len(got), cap(got))
	back, err := ViewBytes(got)
	require.NoError(t, err)
	assert.Equal(t, b, back)
	assert.Equal(t, len(back), cap(back))
	if len(b) > 0 {
		assert.Same(t, &b[0], &back[0])
	}
	assert.Zero(t, testing.AllocsPerRun(5, func() {
		s, _ := View[E](b)
		_, _ = ViewBytes(s)
	}))
}
