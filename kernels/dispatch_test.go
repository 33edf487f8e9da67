package kernels

import (
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestRequired fails if an implementation that LOWBIT_REQUIRE names is not
// here, so that a machine that should test it cannot pass it over.
func TestRequired(t *testing.T) {
	for _, name := range strings.FieldsFunc(os.Getenv("LOWBIT_REQUIRE"), func(r rune) bool { return r == ',' }) {
		_, err := find(name)
		assert.NoError(t, err)
	}
}

func TestRegistry(t *testing.T) {
	var available []string
	for i, s := range Registry() {
		assert.Equal(t, names[i], s.Name)
		assert.NotEmpty(t, s.Reason)
		if s.Available {
			available = append(available, s.Name)
		}
	}
	assert.Equal(t, available, Implementations())
	assert.Equal(t, "generic", available[0])
}

// undecided makes the test begin before anything was chosen.
func undecided(t *testing.T) {
	was := chosen.Swap(0)
	t.Cleanup(func() { chosen.Store(was) })
}

func TestFastestIsChosen(t *testing.T) {
	undecided(t)
	t.Setenv("LOWBIT_ISA", "")
	list := Implementations()
	assert.Equal(t, list[len(list)-1], Implementation())
	assert.Equal(t, list[len(list)-1]+": the fastest that can be used here", Why())
}

func TestEnvironment(t *testing.T) {
	undecided(t)
	for _, name := range Implementations() {
		chosen.Store(0)
		t.Setenv("LOWBIT_ISA", name)
		assert.Equal(t, name, Implementation())
		assert.Equal(t, name+": asked for by LOWBIT_ISA", Why())
	}
	for _, name := range []string{"sse9", "AVX2", " generic"} {
		chosen.Store(0)
		t.Setenv("LOWBIT_ISA", name)
		var y [1]float32
		for range 2 { // the second time too
			assert.PanicsWithValue(t, `kernels: LOWBIT_ISA: unknown implementation "`+name+`", want one of generic, avx2, avx512, avx512vbmi, neon`, func() {
				FakeQuantizeInt(y[:], NoMask, []float32{1}, Grid{1, 1, 1}, &IntParams{Min: 0, Max: 1, Scale: []float32{1}})
			})
		}
		assert.Zero(t, y[0])
	}
	for _, s := range Registry() {
		if !s.Available {
			chosen.Store(0)
			t.Setenv("LOWBIT_ISA", s.Name)
			assert.PanicsWithValue(t, `kernels: LOWBIT_ISA: implementation "`+s.Name+`" is not available: `+s.Reason, func() { current() })
		}
	}
}

func TestUse(t *testing.T) {
	undecided(t)
	require.NoError(t, Use("generic"))
	assert.Equal(t, "generic: asked for by the program", Why())
	assert.EqualError(t, Use("mmx"), `kernels: unknown implementation "mmx", want one of generic, avx2, avx512, avx512vbmi, neon`)
	for _, s := range Registry() {
		if !s.Available {
			assert.EqualError(t, Use(s.Name), `kernels: implementation "`+s.Name+`" is not available: `+s.Reason)
		}
	}
	assert.Equal(t, "generic", Implementation())
}

// Without any one of the features that it needs an implementation is not available.
func TestFeatures(t *testing.T) {
	for i, f := range Features() {
		assert.Equal(t, features[i].name, f.Name)
		assert.Equal(t, *features[i].present, f.Present)
		if !f.Present {
			continue
		}
		*features[i].present = false
		for impl := range features[i].of {
			s := status(impl)
			assert.False(t, s.Available, "%s without %s", names[impl], f.Name)
			assert.Contains(t, s.Reason, f.Name)
		}
		*features[i].present = true
	}
}

// Choosing and running may happen at once.
func TestConcurrentUse(t *testing.T) {
	undecided(t)
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			x, y := make([]float32, 100), make([]float32, 100)
			for i := range x {
				x[i] = float32(i)
			}
			for range 100 {
				for _, name := range Implementations() {
					assert.NoError(t, Use(name))
					FakeQuantizeInt(y, NoMask, x, Grid{1, 1, 100}, &IntParams{Min: -8, Max: 7, Scale: []float32{2}})
					assert.Equal(t, float32(14), y[99])
				}
			}
		})
	}
	wait.Wait()
}
