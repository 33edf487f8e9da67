package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/checkpoint"
	"github.com/lowbit-go/lowbit/quant"
	"github.com/lowbit-go/lowbit/safetensors"
)

// screen is what a terminal shows of some output: a carriage return goes back to the line's beginning, and what is there is written over.
func screen(output string) string {
	var lines []string
	for _, text := range strings.Split(output, "\n") {
		var line []rune
		at := 0
		for _, r := range text {
			switch {
			case r == '\r':
				at = 0
				continue
			case at == len(line):
				line = append(line, r)
			default:
				line[at] = r
			}
			at++
		}
		lines = append(lines, strings.TrimRight(string(line), " "))
	}
	return strings.Join(lines, "\n")
}

// The line that shows progress stays the last one, whatever is written meanwhile, and goes when the work is done.
func TestConsole(t *testing.T) {
	var out bytes.Buffer
	c := &console{w: &out, columns: func() int { return 41 }}
	c.show("quantize 1 of 2, 50 %, a.long.name.of.a.tensor.weight")
	assert.Equal(t, 40, len([]rune(screen(out.String()))), "cut to the terminal")
	newLogger(c).Warn("3 NaN", "tensor", "w")
	shown := strings.Split(screen(out.String()), "\n")
	assert.Equal(t, `lowbit: warning: 3 NaN (tensor "w")`, shown[0])
	assert.True(t, strings.HasPrefix(shown[1], "quantize 1 of 2"), shown[1])
	c.show("short")
	assert.Equal(t, shown[0]+"\nshort", screen(out.String()))
	c.show("")
	complain(c, errInterrupted)
	assert.Equal(t, shown[0]+"\nlowbit: interrupted\n", screen(out.String()))

	out.Reset()
	(&console{w: &out}).show("no terminal")
	assert.Empty(t, out.String())
}

// Progress begins at nothing, counts what is done and no more, and says what is at hand.
func TestProgress(t *testing.T) {
	p := &progress{what: "quantize", bytes: true}
	p.of(4e9)
	assert.Equal(t, "quantize 0 bytes of 4000000000, 0 %", strings.ReplaceAll(strings.ReplaceAll(p.text(time.Second), byteText(0), "0 bytes"), byteText(4e9), "4000000000"))
	assert.NotContains(t, p.text(0), "GB/s")
	p.add(1e9)
	p.name("w\x1b")
	text := p.text(2 * time.Second)
	for _, want := range []string{byteText(1e9) + " of " + byteText(4e9), "25 %", "0.50 GB/s", "6s left", `, "w\x1b"`} {
		assert.Contains(t, text, want)
	}
	p.add(9e9)
	assert.Contains(t, p.text(4*time.Second), "100 %, 1.00 GB/s")
	steps := &progress{what: "bench"}
	steps.of(3)
	steps.add(1)
	assert.Equal(t, "bench 1 of 3, 33 %, 20s left", steps.text(10*time.Second))

	var out bytes.Buffer
	c := &console{w: &out, columns: func() int { return 80 }}
	bar := newProgress(c, "quick", 2, false)
	require.NotNil(t, bar)
	bar.end()
	bar.end()
	assert.Empty(t, screen(out.String()), "what is quick shows nothing")
	var none *progress
	none.add(1)
	none.of(1)
	none.name("w")
	none.end()
}

// A bar counts what is read and written of a plan, as the closing line does, and names a tensor before its first piece is done.
func TestBytesMoved(t *testing.T) {
	in := place(t, "in")
	save(t, in, noise("a.weight", safetensors.F32, 64, 256), noise("norm", safetensors.F32, 300))
	c, err := open(in)
	require.NoError(t, err)
	defer c.Close()
	spec, err := quant.ParseSpec([]byte(`{"dtype":"int4","granularity":{"type":"per_block","axis":-1,"block_size":32}}`))
	require.NoError(t, err)
	plan, err := checkpoint.NewPlan(c, &checkpoint.Quantization{Choose: func(x *checkpoint.Tensor) *checkpoint.Choice {
		if x.Name() == "norm" {
			return nil
		}
		return &checkpoint.Choice{Spec: spec, Pack: true}
	}}, 4<<10)
	require.NoError(t, err)
	moved, sum, pieces, started := (&writing{plan: plan}).moved(true), int64(0), 0, ""
	require.NoError(t, plan.WriteFile(t.Context(), place(t, "out"), checkpoint.WriteOptions{Start: func(name string) { started = name }, Progress: func(name string, bytes int64) {
		assert.Equal(t, started, name)
		sum += moved(name, bytes)
		pieces++
	}}))
	assert.Greater(t, pieces, 16)
	assert.InDelta(t, plan.Before+plan.After, sum, float64(pieces))
	assert.Zero(t, (&writing{plan: plan}).moved(false)("a.weight", 1))
}
