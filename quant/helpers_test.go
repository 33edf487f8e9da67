package quant_test

import (
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/quant"
	"github.com/stretchr/testify/require"
	"github.com/x448/float16"
)

// onEach runs a test on each implementation that the machine has.
func onEach(t *testing.T, test func(t *testing.T)) {
	was := kernels.Implementation()
	t.Cleanup(func() { require.NoError(t, kernels.Use(was)) })
	for _, name := range kernels.Implementations() {
		require.NoError(t, kernels.Use(name))
		t.Run(name, test)
	}
}

// rounds is how often a test of random cases repeats: LOWBIT_EXHAUSTIVE makes it a hundred times more.
func rounds(n int) int {
	if os.Getenv("LOWBIT_EXHAUSTIVE") != "" {
		return 100 * n
	}
	return n
}

// toFloat32 widens an element.
func toFloat32[T kernels.Float](x T) float32 {
	switch x := any(x).(type) {
	case float16.Float16:
		return x.Float32()
	case bf16.BFloat16:
		return x.Float32()
	}
	return any(x).(float32)
}

// fromFloat32 rounds to an element.
func fromFloat32[T kernels.Float](x float32) (y T) {
	switch y := any(&y).(type) {
	case *float16.Float16:
		*y = float16.Fromfloat32(x)
	case *bf16.BFloat16:
		*y = bf16.FromFloat32(x)
	case *float32:
		*y = x
	}
	return y
}

// requireSame compares bits; any NaN is like any other.
func requireSame[T kernels.Float](t *testing.T, what string, want, got []T) {
	t.Helper()
	require.Len(t, got, len(want), what)
	for i := range want {
		w, g := toFloat32(want[i]), toFloat32(got[i])
		if math.Float32bits(w) != math.Float32bits(g) && (w == w || g == g) {
			require.Failf(t, "bits differ", "%s[%d] is %v (%#x), want %v (%#x)", what, i, g, math.Float32bits(g), w, math.Float32bits(w))
		}
	}
}

// mustNew makes a quantizer from JSON.
func mustNew[T kernels.Float](t testing.TB, spec string, target quant.Target) *quant.FakeQuantizer[T] {
	t.Helper()
	s, err := quant.ParseSpec([]byte(spec))
	require.NoError(t, err)
	q, err := quant.New[T](s, target)
	require.NoError(t, err)
	return q
}

// random makes a tensor of normally distributed elements, some of them special.
func random[T kernels.Float](r *rand.Rand, special bool, shape ...int) quant.Tensor[T] {
	n := 1
	for _, d := range shape {
		n *= d
	}
	x := quant.Tensor[T]{Data: make([]T, n), Shape: shape}
	odd := []float32{0, float32(math.Copysign(0, -1)), 1e-40, 65504, 3e38, float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN())}
	for i := range x.Data {
		v := float32(r.NormFloat64())
		if special && r.IntN(40) == 0 {
			v = odd[r.IntN(len(odd))]
		}
		x.Data[i] = fromFloat32[T](v)
	}
	return x
}
