package main

import (
	"encoding/json"
	"math"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/safetensors"
)

func itoa(n int) string { return strconv.Itoa(n) }

// A NaN or an infinity in a tensor that is quantized is one warning with their count, or the end of the run.
func TestNonFinite(t *testing.T) {
	dir := t.TempDir()
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	in, out := filepath.Join(dir, "in"), filepath.Join(dir, "out")
	save(t, in, of("bad", safetensors.F32, []int{2, 4}, float32(1), nan, 2, inf, nan, 5, 6, 7), ramp("good", 8), of("half", safetensors.F16, []int{2}, uint16(0xfc00), 0),
		of("brain", safetensors.BF16, []int{2}, uint16(0x7fc1), 0), of("kept", safetensors.F32, []int{1}, nan))
	for _, spec := range []string{int8Spec, `{"dtype":"float4_e2m1fn"}`, `{"float_range":[-1,1]}`} {
		for _, command := range []string{"quantize", "fakequant"} {
			r := lowbit(t, command, "--spec", spec, "--exclude", "kept", "-o", out, in)
			assert.Equal(t, exitOK, r.status)
			assert.Equal(t, `lowbit: warning: a group with a NaN or an infinity loses its other values (tensor "bad", NaN 2, Inf 1)
lowbit: warning: a group with a NaN or an infinity loses its other values (tensor "half", NaN 0, Inf 1)
lowbit: warning: a group with a NaN or an infinity loses its other values (tensor "brain", NaN 1, Inf 0)
`, r.stderr, command+spec)
			fails(t, exitFailed, []string{in, `tensor "bad"`, "element 1 is NaN", "--non-finite"}, command, "--non-finite", "error", "--workers", "1", "--spec", spec, "--exclude", "kept", "-o", filepath.Join(dir, "other"), in)
		}
	}
	assert.Equal(t, []string{"in", "out"}, entries(t, dir))
}

// So is one in an earlier pass that moves the parameters, whatever finds the ranges.
func TestNonFiniteEarlier(t *testing.T) {
	earlier := save(t, place(t, "earlier"), of("w", safetensors.F32, []int{4}, 1, float32(math.NaN()), 2, 3))
	last, out := save(t, place(t, "last"), ramp("w", 4)), place(t, "out")
	for _, spec := range []string{int8Spec, `{"range_calculator_cls":"mse"}`, `{"range_calculator_cls":{"name":"percentile","num":1,"den":2}}`, `{"qparam_calculator_cls":"histogram"}`} {
		r := lowbit(t, "fakequant", "--spec", spec, "-o", place(t, "warned"), earlier, last)
		assert.Equal(t, exitOK, r.status)
		assert.Equal(t, "lowbit: warning: a group with a NaN or an infinity loses its other values (tensor \"w\", NaN 1, Inf 0)\n", r.stderr, spec)
		fails(t, exitFailed, []string{earlier, `tensor "w"`, "element 1 is NaN", "--non-finite"}, "fakequant", "--non-finite", "error", "--spec", spec, "-o", out, earlier, last)
	}
	assert.NoFileExists(t, out)
}

// compare counts them apart from the rest.
func TestCompareNonFinite(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	a := save(t, place(t, "a"), of("w", safetensors.F32, []int{6}, float32(3), nan, inf, inf, 4, nan))
	b := save(t, place(t, "b"), of("w", safetensors.F32, []int{6}, float32(3), nan, inf, -inf, 3, 7), ramp("only", 2))
	r := lowbit(t, "compare", "--json", a, b)
	assert.Equal(t, exitFailed, r.status)
	var got struct {
		Tensors []struct {
			Name   string
			A, B   *struct{ NaN, Inf int }
			Equal  bool
			Differ int
			Max    float64 `json:"max_abs_error"`
			SQNR   float64 `json:"sqnr_db"`
			Cosine float64
			Apart  int `json:"non_finite_mismatch"`
		}
		Summary struct {
			Tensors, Differ int
			Equal           bool
		}
	}
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &got), r.stdout)
	require.Len(t, got.Tensors, 2)
	w := got.Tensors[0]
	assert.Equal(t, []int{2, 2, 1, 2}, []int{w.A.NaN, w.A.Inf, w.B.NaN, w.B.Inf})
	assert.Equal(t, 1.0, w.Max)
	assert.InDelta(t, 10*math.Log10(25), w.SQNR, 1e-9)
	assert.InDelta(t, (9+12)/math.Sqrt(25*18), w.Cosine, 1e-9)
	assert.Equal(t, 2, w.Apart)
	assert.Equal(t, 3, w.Differ)
	assert.False(t, w.Equal)
	assert.Nil(t, got.Tensors[1].A)
	assert.Equal(t, 2, got.Summary.Differ)
	none := save(t, place(t, "none"))
	assert.JSONEq(t, `{"tensors":[],"summary":{"tensors":0,"differ":0,"equal":true}}`, works(t, "compare", "--json", none, none))
}
