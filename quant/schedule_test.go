package quant_test

import (
	"math/rand/v2"
	"testing"

	"github.com/lowbit-go/lowbit/quant"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A run that is saved and taken up again has the bits of one that was not, after each step.
func TestResume(t *testing.T) {
	const steps = 20
	schedule := quant.QATSchedule{EnableObserver: 2, EnableFakeQuant: 5, DisableObserver: 15}
	begin := func(spec string) *quant.FakeQuantizer[float32] {
		q := mustNew[float32](t, spec, quant.Activation)
		require.NoError(t, q.SetSchedule(schedule, 0))
		return q
	}
	for _, spec := range []string{
		`{}`,
		`{"qparam_calculator_cls":"global_minmax","qscheme":"asymmetric"}`,
		`{"qparam_calculator_cls":"static","dtype":"float8_e4m3fn"}`,
		`{"float_range":[-1,1]}`,
		`{"qparam_calculator_cls":"dynamic"}`,
	} {
		r := rand.New(rand.NewPCG(21, 22))
		var xs []quant.Tensor[float32]
		for range steps {
			xs = append(xs, random[float32](r, false, 4, 33))
		}
		// step passes a tensor and returns all that can be seen of it.
		type seen struct {
			y     quant.Tensor[float32]
			mask  quant.Mask
			state quant.State
			text  string
		}
		step := func(q *quant.FakeQuantizer[float32], x quant.Tensor[float32]) seen {
			s := seen{mask: quant.Mask{Kind: quant.ByteMask}}
			err := q.FakeQuantize(&s.y, x, &s.mask)
			if err != nil {
				require.ErrorIs(t, err, quant.ErrNotObserved)
			}
			q.Step()
			s.state, s.text = q.State(), q.String()
			return s
		}
		whole := begin(spec)
		var want []seen
		for _, x := range xs {
			want = append(want, step(whole, x))
		}
		for _, stop := range []int{0, 1, 3, 7, 12, 16} {
			for _, loadFirst := range []bool{true, false} {
				q := begin(spec)
				for _, x := range xs[:stop] {
					step(q, x)
				}
				state, at := q.State(), q.ScheduleStep()
				assert.Equal(t, stop, at)
				q = mustNew[float32](t, spec, quant.Activation)
				if loadFirst {
					require.NoError(t, q.LoadState(state))
				}
				require.NoError(t, q.SetSchedule(schedule, at))
				if !loadFirst {
					require.NoError(t, q.LoadState(state))
				}
				for i := stop; i < steps; i++ {
					require.Equal(t, want[i], step(q, xs[i]), "%s, saved after %d, step %d", spec, stop, i)
				}
			}
		}
	}
}
