package quant_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/fp4"
	"github.com/lowbit-go/lowbit/fp8"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/quant"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/x448/float16"
)

// groupOf returns which group each element is of, from the element's indices alone.
func groupOf(shape, groups []int) []int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	of := make([]int, n)
	for i := range of {
		rest, stride := i, 1
		for a := len(shape) - 1; a >= 0; a-- {
			of[i] += rest % shape[a] / (shape[a] / groups[a]) * stride
			rest /= shape[a]
			stride *= groups[a]
		}
	}
	return of
}

// element is the formula of the package comment for one element: its code's value, whether its gradient passes, and what the code stands for.
func element(x float32, s quant.Spec, p quant.Params, g int) (q float32, pass byte, y float32) {
	lo64, hi64 := s.QuantRange()
	lo, hi := float32(lo64), float32(hi64)
	var quantOffset, floatOffset float32
	if !s.DType.IsFloat() {
		if s.Formulation == quant.MinVal {
			quantOffset, floatOffset = lo, p.MinVal[g]
		} else {
			quantOffset = float32(p.ZeroPoint[g])
		}
	}
	r := (x - floatOffset) / p.Scale[g]
	if !s.DType.IsFloat() {
		r = float32(math.RoundToEven(float64(r))) + quantOffset
	}
	if r >= lo && r <= hi {
		pass = 1
	}
	q = min(max(r, lo), hi)
	switch {
	case q != q:
	case s.DType == quant.Float8E4M3FN:
		q = fp8.E4M3FNFromFloat32(q).Float32()
	case s.DType == quant.Float8E5M2:
		q = fp8.E5M2FromFloat32(q).Float32()
	case s.DType == quant.Float4E2M1FN:
		q = fp4.E2M1FromFloat32(q).Float32()
	}
	y = float32((q - quantOffset) * p.Scale[g])
	if !s.DType.IsFloat() {
		y += floatOffset
	}
	return q, pass, y
}

// codeByte returns the byte of a code's value.
func codeByte(q float32, d quant.DType) byte {
	switch d.Storage() {
	case quant.Float8E4M3FN:
		return byte(fp8.E4M3FNFromFloat32(q))
	case quant.Float8E5M2:
		return byte(fp8.E5M2FromFloat32(q))
	}
	if q != q {
		return 0
	}
	return byte(int(q))
}

// tilings are shapes and granularities; each has a layout in memory of its own.
func tilings(r *rand.Rand) (shape []int, g quant.Granularity) {
	shape = make([]int, r.IntN(5))
	blocks := make([]int, len(shape))
	for i := range shape {
		blocks[i] = []int{-1, 1, 2, 3, 4, 7}[r.IntN(6)]
		shape[i] = max(blocks[i], 1) * (1 + r.IntN(5))
		if r.IntN(3) == 0 {
			shape[i] = max(blocks[i], 1)
		}
	}
	if len(shape) == 0 {
		return shape, []quant.Granularity{quant.PerTensor(), quant.PerBlocks()}[r.IntN(2)]
	}
	axis := r.IntN(len(shape))
	signed := axis - r.IntN(2)*len(shape)
	switch r.IntN(4) {
	case 0:
		return shape, quant.PerTensor()
	case 1:
		return shape, quant.PerChannel(signed)
	case 2:
		return shape, quant.PerBlock(signed, max(blocks[axis], 1))
	}
	return shape, quant.PerBlocks(blocks...)
}

// Any tiling of any shape is what the formula gives element by element, with the parameters that each group has alone.
func TestTilings(t *testing.T) {
	onEach(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(5, 6))
		for range rounds(60) {
			testTiling[float32](t, r)
			testTiling[float16.Float16](t, r)
			testTiling[bf16.BFloat16](t, r)
		}
	})
}

func testTiling[T kernels.Float](t *testing.T, r *rand.Rand) {
	shape, g := tilings(r)
	s := quant.Spec{DType: quant.DType(r.IntN(9)), Granularity: g}
	if !s.DType.IsFloat() {
		s.Scheme, s.Formulation = quant.Scheme(r.IntN(3)), quant.Formulation(r.IntN(2))
	} else if r.IntN(2) == 0 {
		s.ScaleDType = quant.ScaleE8M0
	}
	target := quant.Target(r.IntN(3))
	what := fmt.Sprint(shape, target, s)
	q, err := quant.New[T](s, target)
	require.NoError(t, err, what)
	x := random[T](r, r.IntN(2) == 0, shape...)

	var y quant.Tensor[T]
	mask := quant.Mask{Kind: quant.ByteMask}
	require.NoError(t, q.FakeQuantize(&y, x, &mask), what)
	p, err := q.Params()
	require.NoError(t, err, what)
	of := groupOf(shape, p.Shape)

	// Each group alone.
	alone := s
	alone.Granularity = quant.PerTensor()
	for g := range p.Scale {
		var part quant.Tensor[T]
		for i, v := range x.Data {
			if of[i] == g {
				part.Data = append(part.Data, v)
			}
		}
		part.Shape = []int{len(part.Data)}
		a, err := quant.New[T](alone, target)
		require.NoError(t, err)
		require.NoError(t, a.Observe(part))
		want, err := a.Params()
		require.NoError(t, err)
		requireSame(t, what+" scale", want.Scale, p.Scale[g:g+1])
		if !s.DType.IsFloat() {
			requireSame(t, what+" minval", want.MinVal, p.MinVal[g:g+1])
			require.Equal(t, want.ZeroPoint, p.ZeroPoint[g:g+1], what)
		}
	}

	// Each element by the formula.
	n := len(x.Data)
	wantY, wantV, wantMask, wantCodes := make([]T, n), make([]T, n), make([]byte, n), make([]byte, n)
	for i, v := range x.Data {
		code, pass, y := element(toFloat32(v), s, p, of[i])
		wantY[i], wantV[i], wantMask[i], wantCodes[i] = fromFloat32[T](y), fromFloat32[T](code), pass, codeByte(code, s.DType)
	}
	requireSame(t, what, wantY, y.Data)
	require.Equal(t, wantMask, mask.Data, what)

	bits := quant.Mask{Kind: quant.BitMask, Data: []byte{255, 255, 255}}
	inPlace := quant.Tensor[T]{Data: append([]T{}, x.Data...), Shape: shape}
	require.NoError(t, q.EnableObserver(false))
	require.NoError(t, q.FakeQuantize(&inPlace, inPlace, &bits), what)
	requireSame(t, what+" in place", wantY, inPlace.Data)
	require.Equal(t, packBits(wantMask), bits.Data, what)

	// Given those parameters, the same again: codes, packed codes, values, and back.
	given, err := quant.NewGiven[T](s, target, p)
	if err != nil {
		require.ErrorIs(t, err, quant.ErrParams, "parameters of a tensor with Inf or NaN")
		return
	}
	var codes quant.Codes
	require.NoError(t, given.Quantize(&codes, x), what)
	requireCodes(t, what, s.DType, wantCodes, codes.Data)
	var values, back quant.Tensor[T]
	require.NoError(t, given.QuantizeValues(&values, x), what)
	requireSame(t, what+" values", wantV, values.Data)
	require.NoError(t, quant.Dequantize(&back, codes, 1), what)
	for i, v := range x.Data {
		if v := toFloat32(v); v != v { // a code need not keep it
			back.Data[i], wantY[i] = fromFloat32[T](0), fromFloat32[T](0)
		}
	}
	requireSame(t, what+" dequantized", wantY, back.Data)

	packed := quant.Codes{Packed: true}
	err = given.Quantize(&packed, x)
	if s.DType == quant.Float4E2M1FN && (len(shape) == 0 || shape[len(shape)-1]%2 != 0) {
		require.ErrorIs(t, err, quant.ErrShape, what)
		_, err = codes.Pack()
		require.ErrorIs(t, err, quant.ErrShape, what)
		return
	}
	require.NoError(t, err, what)
	later, err := codes.Pack()
	require.NoError(t, err, what)
	assert.Equal(t, later.Data, packed.Data, what)
	size := 1
	for _, d := range packed.DataShape() {
		size *= d
	}
	assert.Len(t, packed.Data, size, what)
	require.NoError(t, quant.Dequantize(&back, packed, 1), what)
	for i, v := range x.Data {
		if v := toFloat32(v); v != v {
			back.Data[i] = fromFloat32[T](0)
		}
	}
	requireSame(t, what+" dequantized from packed codes", wantY, back.Data)
	again, err := packed.Unpack()
	require.NoError(t, err, what)
	if s.DType != quant.Float4E2M1FN {
		assert.Equal(t, codes.Data, again.Data, what)
	}
}

// requireCodes compares codes; the NaNs of a float format are alike.
func requireCodes(t *testing.T, what string, d quant.DType, want, got []byte) {
	t.Helper()
	require.Len(t, got, len(want), what)
	for i := range want {
		nan := d.Storage() == quant.Float8E4M3FN && fp8.E4M3FN(want[i]).IsNaN() && fp8.E4M3FN(got[i]).IsNaN() ||
			d == quant.Float8E5M2 && fp8.E5M2(want[i]).IsNaN() && fp8.E5M2(got[i]).IsNaN()
		if want[i] != got[i] && !nan {
			require.Failf(t, "codes differ", "%s: code %d is %#x, want %#x", what, i, got[i], want[i])
		}
	}
}

func packBits(mask []byte) []byte {
	bits := make([]byte, (len(mask)+7)/8)
	for i, m := range mask {
		bits[i/8] |= m << (i % 8)
	}
	return bits
}

// One worker or eight: the same bits, wherever a share ends.
func TestWorkers(t *testing.T) {
	quant.ShareEvery(t, 16)
	onEach(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(7, 8))
		for _, c := range []struct {
			shape  []int
			spec   string
			target quant.Target
		}{
			{[]int{9001}, `{"dtype":"int8"}`, quant.Weight},
			{[]int{3, 2991}, `{"dtype":"int4","granularity":{"type":"per_channel","axis":0}}`, quant.Weight},
			{[]int{121, 93}, `{"dtype":"uint8","qscheme":"asymmetric","granularity":{"type":"per_channel","axis":-1}}`, quant.Activation},
			{[]int{2, 30, 7, 11}, `{"dtype":"int8","qformulation":"minval","qscheme":"asymmetric","granularity":{"type":"per_channel","axis":1}}`, quant.Activation},
			{[]int{96, 92}, `{"dtype":"int4","granularity":{"type":"per_block","axis":0,"block_size":32}}`, quant.Weight},
			{[]int{31, 99}, `{"dtype":"int2","granularity":{"type":"per_block","axis":1,"block_size":11}}`, quant.Weight},
			{[]int{64, 128}, `{"dtype":"float4_e2m1fn","granularity":{"type":"per_block","axis":1,"block_size":32}}`, quant.Weight},
			{[]int{10, 30, 20}, `{"dtype":"float8_e4m3fn","granularity":{"type":"per_block","block_size":[5,3,-1]}}`, quant.Weight},
			{[]int{8000}, `{"dtype":"float8_e5m2","granularity":{"type":"per_block","block_size":[1]}}`, quant.Weight},
			{[]int{2, 5000}, `{"dtype":"float8_e5m2","float_range":[-1,1],"granularity":{"type":"per_channel","axis":0}}`, quant.Activation},
			{[]int{5, 10, 10}, `{"dtype":"float4_e2m1fn","granularity":{"type":"per_block","block_size":[1,-1,5]}}`, quant.Weight},
		} {
			testWorkers[float32](t, r, c.shape, c.spec, c.target)
			testWorkers[bf16.BFloat16](t, r, c.shape, c.spec, c.target)
		}
	})
}

func testWorkers[T kernels.Float](t *testing.T, r *rand.Rand, shape []int, spec string, target quant.Target) {
	x, dy := random[T](r, true, shape...), random[T](r, true, shape...)
	type result struct {
		y, seen, values, dx, back quant.Tensor[T]
		bytes, bits               quant.Mask
		codes, packed             quant.Codes
		params                    quant.Params
	}
	var want result
	for workers := 1; workers <= 8; workers++ {
		var got result
		q := mustNew[T](t, spec, target)
		q.Workers = workers
		got.bytes.Kind, got.bits.Kind, got.packed.Packed = quant.ByteMask, quant.BitMask, true
		require.NoError(t, q.FakeQuantize(&got.y, x, &got.bytes))
		require.NoError(t, q.EnableObserver(false))
		require.NoError(t, q.FakeQuantize(&got.seen, x, &got.bits))
		require.NoError(t, q.Quantize(&got.codes, x))
		if err := q.Quantize(&got.packed, x); err != nil {
			require.ErrorIs(t, err, quant.ErrShape)
			got.packed = got.codes
		}
		require.NoError(t, q.QuantizeValues(&got.values, x))
		require.NoError(t, q.Backward(&got.dx, dy, got.bits))
		require.NoError(t, quant.Dequantize(&got.back, got.packed, workers))
		var err error
		got.params, err = q.Params()
		require.NoError(t, err)
		if workers == 1 {
			want = got
			continue
		}
		what := fmt.Sprint(workers, " workers ", spec)
		requireSame(t, what, want.y.Data, got.y.Data)
		requireSame(t, what, want.seen.Data, got.seen.Data)
		requireSame(t, what, want.values.Data, got.values.Data)
		requireSame(t, what, want.dx.Data, got.dx.Data)
		requireSame(t, what, want.back.Data, got.back.Data)
		require.True(t, assert.ObjectsAreEqual(want.bytes, got.bytes) && assert.ObjectsAreEqual(want.bits, got.bits), what)
		require.True(t, assert.ObjectsAreEqual(want.codes.Data, got.codes.Data) && assert.ObjectsAreEqual(want.packed.Data, got.packed.Data), what)
		requireSame(t, what, want.params.Scale, got.params.Scale)
		require.Equal(t, want.params.ZeroPoint, got.params.ZeroPoint, what)
	}
}

// The gradient of ones is the mask.
func TestBackwardIsMask(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	x := random[float32](r, true, 7, 33)
	ones := quant.Tensor[float32]{Data: make([]float32, len(x.Data)), Shape: x.Shape}
	for i := range ones.Data {
		ones.Data[i] = 1
	}
	q := mustNew[float32](t, `{"dtype":"int4","float_range":[-0.5,0.5]}`, quant.Weight)
	for _, kind := range []quant.MaskKind{quant.ByteMask, quant.BitMask} {
		var y, dx quant.Tensor[float32]
		bytes, mask := quant.Mask{Kind: quant.ByteMask}, quant.Mask{Kind: kind}
		require.NoError(t, q.FakeQuantize(&y, x, &bytes))
		require.NoError(t, q.FakeQuantize(&y, x, &mask))
		require.NoError(t, q.Backward(&dx, ones, mask))
		for i, m := range bytes.Data {
			require.Equal(t, float32(m), dx.Data[i])
		}
		require.NoError(t, q.Backward(&ones, ones, mask), "in place")
		requireSame(t, "in place", dx.Data, ones.Data)
	}
	var dx quant.Tensor[float32]
	require.NoError(t, q.Backward(&dx, x, quant.Mask{}))
	requireSame(t, "an empty mask passes all", x.Data, dx.Data)
}
