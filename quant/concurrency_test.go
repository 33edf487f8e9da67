package quant_test

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/lowbit-go/lowbit/quant"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Several goroutines share one quantizer, with given parameters and while it observes; go test -race looks on.
func TestConcurrency(t *testing.T) {
	spec := quant.Spec{Granularity: quant.PerChannel(0), Calculator: quant.Algorithm{Name: "global_minmax"}}
	given, err := quant.NewGiven[float32](spec, quant.Activation, quant.Params{Shape: []int{4, 1}, Scale: []float32{1, .5, .25, .125}})
	require.NoError(t, err)
	given.Workers = 2
	observing, err := quant.New[float32](spec, quant.Activation)
	require.NoError(t, err)
	observing.Workers = 3
	require.NoError(t, observing.SetSchedule(quant.QATSchedule{EnableFakeQuant: 10}, 0))

	x := random[float32](rand.New(rand.NewPCG(15, 16)), false, 4, 30000)
	var want quant.Tensor[float32]
	require.NoError(t, given.FakeQuantize(&want, x, nil))
	var wait sync.WaitGroup
	for range 6 {
		wait.Go(func() {
			var y, dx quant.Tensor[float32]
			var codes quant.Codes
			mask := quant.Mask{Kind: quant.ByteMask}
			for n := 10000; n <= 30000; n += 10000 { // of several shapes
				part := quant.Tensor[float32]{Data: x.Data[:4*n], Shape: []int{4, n}}
				assert.NoError(t, given.FakeQuantize(&y, part, &mask))
				assert.NoError(t, given.Backward(&dx, part, mask))
				assert.NoError(t, given.Quantize(&codes, part))
				assert.NoError(t, observing.FakeQuantize(&dx, part, &mask))
				observing.Step()
				_ = observing.State()
				_ = observing.String()
				_, err := observing.Params()
				assert.NoError(t, err)
			}
			assert.Equal(t, want.Data, y.Data)
		})
	}
	wait.Wait()
	alone, err := quant.New[float32](spec, quant.Activation)
	require.NoError(t, err)
	for n := 10000; n <= 30000; n += 10000 {
		require.NoError(t, alone.Observe(quant.Tensor[float32]{Data: x.Data[:4*n], Shape: []int{4, n}}))
	}
	assert.Equal(t, alone.State()["qparams_calculator.running_max"], observing.State()["qparams_calculator.running_max"], "in whatever order")
}

// No goroutine outlives the pass that it was started for.
func TestNoGoroutineLeft(t *testing.T) {
	quant.ShareEvery(t, 64)
	before := runtime.NumGoroutine()
	x := random[float32](rand.New(rand.NewPCG(19, 20)), false, 40, 100)
	for _, g := range []quant.Granularity{quant.PerTensor(), quant.PerChannel(1), quant.PerBlock(1, 20)} {
		q, err := quant.New[float32](quant.Spec{Granularity: g}, quant.Weight)
		require.NoError(t, err)
		q.Workers = 8
		var y quant.Tensor[float32]
		for range 100 {
			require.NoError(t, q.FakeQuantize(&y, x, nil))
		}
	}
	for wait := time.Millisecond; runtime.NumGoroutine() > before && wait < time.Second; wait *= 2 {
		time.Sleep(wait) // the last ones are on their way
	}
	assert.LessOrEqual(t, runtime.NumGoroutine(), before)
}

// Goroutines share a dynamic quantizer for matrices: none waits for another's pass to end, and each has the parameters of its own tokens.
func TestDynamicAtOnce(t *testing.T) {
	for _, spec := range []string{
		`{"dtype":"uint8","qscheme":"asymmetric","qparam_calculator_cls":"dynamic"}`,
		`{"dtype":"uint8","qscheme":"asymmetric","granularity":{"type":"per_channel","axis":0},"qparam_calculator_cls":"dynamic"}`,
		`{"dtype":"uint8","qscheme":"asymmetric","granularity":{"type":"per_channel","axis":1},"qparam_calculator_cls":"dynamic"}`,
		`{"dtype":"float8_e4m3fn","granularity":{"type":"per_block","axis":-1,"block_size":32},"qparam_calculator_cls":"dynamic"}`,
	} {
		q := mustNew[float32](t, spec, quant.Activation)
		unlock := quant.Reading(q)
		var wait sync.WaitGroup
		for k := range 4 {
			wait.Go(func() {
				r := rand.New(rand.NewPCG(21, uint64(k)))
				for range 20 {
					x := random[float32](r, false, 1+r.IntN(5), 64)
					var c, want quant.Codes
					var y, wantY quant.Tensor[float32]
					assert.NoError(t, q.Quantize(&c, x))
					assert.NoError(t, q.FakeQuantize(&y, x, nil))
					alone := mustNew[float32](t, spec, quant.Activation)
					assert.NoError(t, alone.Quantize(&want, x))
					assert.NoError(t, alone.FakeQuantize(&wantY, x, nil))
					assert.Equal(t, want, c)
					assert.Equal(t, wantY.Data, y.Data)
					_, err := q.Params()
					assert.NoError(t, err)
				}
			})
		}
		wait.Wait()
		unlock()
		x := random[float32](rand.New(rand.NewPCG(22, 23)), false, 3, 64)
		var c quant.Codes
		require.NoError(t, q.Quantize(&c, x))
		p, err := q.Params()
		require.NoError(t, err)
		assert.Equal(t, c.Params.Scale, p.Scale)
		assert.Equal(t, c.Params.Shape, p.Shape)
	}
}
