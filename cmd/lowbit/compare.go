package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/lowbit-go/lowbit/safetensors"
)

// compareCommand is lowbit compare: how the tensors of two files differ.
type compareCommand struct {
	JSON bool   `name:"json" help:"Print JSON."`
	A    string `arg:"" name:"A" help:"File to read, the one that is taken as exact."`
	B    string `arg:"" name:"B" help:"File to hold against it."`
}

// Run compares tensor by tensor and piece by piece. Metadata and the order of tensors make no difference.
func (c *compareCommand) Run(t *tool) error {
	var files files
	defer files.close()
	a, b := files.open(c.A), files.open(c.B)
	if files.err != nil {
		return files.err
	}
	total := int64(0)
	for _, info := range a.Tensors() {
		if _, ok := b.Lookup(info.Name); ok {
			total += int64(info.Elements())
		}
	}
	bar := newProgress(t.stderr, "compare", total, false)
	defer bar.end()
	job := &compareJob{crew: t.newCrew(t.workers), progress: bar, a: a, b: b}
	out := comparisonTable(t.stdout)
	if c.JSON {
		out = comparisonJSON(t.stdout)
	}
	count, differ := 0, 0
	add := func(name string) error {
		bar.name(name)
		r, err := job.compare(name)
		if err != nil {
			return err
		}
		count++
		if !r.Equal {
			differ++
		}
		return out.add(r)
	}
	for _, info := range a.Tensors() {
		if err := add(info.Name); err != nil {
			return err
		}
	}
	for _, info := range b.Tensors() {
		if _, ok := a.Lookup(info.Name); !ok {
			if err := add(info.Name); err != nil {
				return err
			}
		}
	}
	bar.end()
	if err := out.end(count, differ); err != nil {
		return err
	}
	if differ > 0 {
		return errDiffers
	}
	return nil
}

// comparison is what compare says of a tensor. What cannot be told is nil.
type comparison struct {
	Name    string   `json:"name"`
	A       *operand `json:"a"` // nil if it is not there
	B       *operand `json:"b"`
	Equal   bool     `json:"equal"`               // in every bit
	Differ  *int     `json:"differ,omitempty"`    // elements with other bits
	Worst   *float64 `json:"max_abs_error"`       // of finite elements
	SQNR    *float64 `json:"sqnr_db"`             // nil without noise too
	Cosine  *float64 `json:"cosine"`              //
	Apart   int      `json:"non_finite_mismatch"` // elements of which one is not finite and the other is something else
	numbers bool     // they were compared
	noise   bool     // there is some
}

// operand is a side of a comparison.
type operand struct {
	DType string `json:"dtype"`
	Shape []int  `json:"shape"`
	NaN   int    `json:"nan"`
	Inf   int    `json:"inf"`
}

// comparisons take what compare says.
type comparisons struct {
	add func(*comparison) error
	end func(count, differ int) error
}

// comparisonTable prints a table.
func comparisonTable(w io.Writer) comparisons {
	list := newTable(w, column{head: "TENSOR", most: 48}, column{head: "DTYPE", most: 18}, column{head: "SHAPE", most: 24}, column{head: "BITS", most: 26},
		column{head: ">MAX ABS ERROR", most: 13}, column{head: ">SQNR", most: 11}, column{head: ">COSINE", most: 9}, column{head: "NOT FINITE", most: 36})
	return comparisons{
		add: func(c *comparison) error {
			list.add(c.cells()...)
			return nil
		},
		end: func(count, differ int) error {
			if err := list.flush(); err != nil {
				return err
			}
			text := "all bits of " + tensorCount(count) + " are equal"
			if differ > 0 {
				text = fmt.Sprintf("%d of %s differ", differ, tensorCount(count))
			}
			_, err := fmt.Fprintf(w, "\n%s\n", text)
			return err
		},
	}
}

// comparisonJSON prints an object, a line for each tensor.
func comparisonJSON(w io.Writer) comparisons {
	before := "{\"tensors\": [\n"
	write := func(text string, value any) error {
		line, err := json.Marshal(value)
		if err == nil {
			_, err = fmt.Fprintf(w, text, line)
		}
		return err
	}
	return comparisons{
		add: func(c *comparison) error {
			defer func() { before = ",\n" }()
			return write(strings.ReplaceAll(before, "%", "%%")+"%s", c)
		},
		end: func(count, differ int) error {
			if count == 0 {
				if _, err := io.WriteString(w, before); err != nil {
					return err
				}
			}
			return write("\n], \"summary\": %s}\n", map[string]any{"tensors": count, "differ": differ, "equal": differ == 0})
		},
	}
}

// cells are the comparison's line of the table.
func (c *comparison) cells() []string {
	one := c.A
	if one == nil {
		one = c.B
	}
	dtype, shape := one.DType, shapeText(one.Shape)
	bits, worst, sqnr, cosine, odd := "equal", "", "", "", ""
	switch {
	case c.A == nil:
		bits = "only in B"
	case c.B == nil:
		bits = "only in A"
	default:
		if c.A.DType != c.B.DType {
			dtype += ", " + c.B.DType
		}
		if !slices.Equal(c.A.Shape, c.B.Shape) {
			shape += ", " + shapeText(c.B.Shape)
		}
		if !c.Equal {
			bits = "differ"
		}
		if c.Differ != nil && *c.Differ > 0 {
			bits = fmt.Sprintf("%d of %d differ", *c.Differ, elements(c.A.Shape))
		}
		var parts []string
		for _, side := range []struct {
			name string
			*operand
		}{{"A", c.A}, {"B", c.B}} {
			if side.NaN > 0 {
				parts = append(parts, fmt.Sprintf("%s %d NaN", side.name, side.NaN))
			}
			if side.Inf > 0 {
				parts = append(parts, fmt.Sprintf("%s %d Inf", side.name, side.Inf))
			}
		}
		odd = strings.Join(parts, ", ")
	}
	if c.Worst != nil {
		worst = strconv.FormatFloat(*c.Worst, 'g', 6, 64)
	}
	if c.SQNR != nil {
		sqnr = fmt.Sprintf("%.2f dB", *c.SQNR)
	} else if c.numbers && !c.noise {
		sqnr = "inf"
	}
	if c.Cosine != nil {
		cosine = strconv.FormatFloat(*c.Cosine, 'f', 6, 64)
	}
	return []string{printable(c.Name), dtype, shape, bits, worst, sqnr, cosine, odd}
}

func elements(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

func tensorCount(n int) string {
	if n == 1 {
		return "1 tensor"
	}
	return fmt.Sprintf("%d tensors", n)
}

// compareJob is the command at work.
type compareJob struct {
	*crew
	progress *progress // counts elements
	a, b     *safetensors.File
	benches  pool[compareBench]
}

// compare compares the tensors of a name.
func (j *compareJob) compare(name string) (*comparison, error) {
	x, inA := j.a.Lookup(name)
	y, inB := j.b.Lookup(name)
	c := &comparison{Name: name}
	if inA {
		c.A = &operand{DType: x.DType.String(), Shape: x.Shape.Dims()}
	}
	if inB {
		c.B = &operand{DType: y.DType.String(), Shape: y.Shape.Dims()}
	}
	if !inA || !inB || x.Shape != y.Shape {
		return c, nil
	}
	d, err := j.measure(x, y)
	if err != nil {
		return nil, err
	}
	if x.DType == y.DType {
		c.Differ, c.Equal = &d.bits, d.bits == 0
	}
	c.numbers = c.Equal || numeric(x.DType) && numeric(y.DType)
	if c.numbers {
		c.setNumbers(d)
	}
	return c, nil
}

// setNumbers says what was found out.
func (c *comparison) setNumbers(d difference) {
	c.A.NaN, c.A.Inf, c.B.NaN, c.B.Inf = d.odd[0].nan, d.odd[0].inf, d.odd[1].nan, d.odd[1].inf
	c.Apart = d.apart
	c.Worst, c.noise = &d.worst, d.noise > 0
	if c.noise {
		c.SQNR = ratio(10 * math.Log10(d.squares[0]/d.noise))
	}
	c.Cosine = ratio(d.product / math.Sqrt(d.squares[0]) / math.Sqrt(d.squares[1]))
	if d.squares[0] > 0 && !c.noise {
		c.Cosine = ratio(1)
	}
}

// ratio is nil if it is no number.
func ratio(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}

// difference is what compare finds out about a tensor, or a piece of it. Elements of which one is not finite are counted, and left out of the rest.
type difference struct {
	bits    int        // number of elements whose bits differ, if the types are the same
	worst   float64    // largest absolute difference
	noise   float64    // sum of the squares of the differences
	squares [2]float64 // of A's elements and of B's
	product float64    // sum of the products
	odd     [2]struct{ nan, inf int }
	apart   int // elements of which one is not finite, and the other is something else
}

// add adds that of another piece.
func (d *difference) add(e *difference) {
	d.bits += e.bits
	d.worst = max(d.worst, e.worst)
	d.noise += e.noise
	d.product += e.product
	d.apart += e.apart
	for i := range 2 {
		d.squares[i] += e.squares[i]
		d.odd[i].nan += e.odd[i].nan
		d.odd[i].inf += e.odd[i].inf
	}
}

// compare takes in a pair of elements.
func (d *difference) compare(v, w float64) {
	e := v - w
	if e-e == 0 {
		d.worst = max(d.worst, math.Abs(e))
		d.noise += e * e
		d.squares[0] += v * v
		d.squares[1] += w * w
		d.product += v * w
		return
	}
	for i, x := range []float64{v, w} {
		switch {
		case math.IsNaN(x):
			d.odd[i].nan++
		case math.IsInf(x, 0):
			d.odd[i].inf++
		}
	}
	if v != w && (v == v || w == w) {
		d.apart++
	}
}

// comparePiece is how many elements are compared at a time: whole bytes in every type.
const comparePiece = 1 << 17

// measure compares two tensors of the same shape. The pieces are summed up in their order, whichever worker had them.
func (j *compareJob) measure(x, y safetensors.Info) (sum difference, err error) {
	n := int64(x.Elements())
	pieces := make([]difference, (n+comparePiece-1)/comparePiece)
	err = j.each(n, comparePiece, func(off, n int64) error {
		bench := j.benches.get()
		defer j.benches.put(bench)
		j.progress.add(n)
		var err error
		pieces[off/comparePiece], err = bench.compare(j.a, j.b, x, y, off, n)
		return err
	})
	for i := range pieces {
		sum.add(&pieces[i])
	}
	return sum, err
}

// compareBench is the workbench of one worker.
type compareBench struct {
	bytes  [2][]byte
	values [2][]float64
}

func (c *compareBench) compare(a, b *safetensors.File, x, y safetensors.Info, off, n int64) (d difference, err error) {
	for i, side := range []struct {
		f    *safetensors.File
		info safetensors.Info
	}{{a, x}, {b, y}} {
		bits := int64(side.info.DType.Bits())
		c.bytes[i] = slices.Grow(c.bytes[i][:0], int(n*bits/8))[:n*bits/8]
		if err := side.f.ReadTensor(side.info.Name, c.bytes[i], off*bits/8); err != nil {
			return d, err
		}
	}
	comparable := numeric(x.DType) && numeric(y.DType)
	if same := x.DType == y.DType; same && bytes.Equal(c.bytes[0], c.bytes[1]) && !comparable {
		return d, nil
	} else if same {
		d.bits = differing(x.DType.Bits(), c.bytes[0], c.bytes[1])
	}
	if !comparable {
		return d, nil
	}
	for i, t := range []safetensors.DType{x.DType, y.DType} {
		c.values[i] = slices.Grow(c.values[i][:0], int(n))[:n]
		values(c.values[i], t, c.bytes[i])
	}
	for i, v := range c.values[0] {
		d.compare(v, c.values[1][i])
	}
	return d, nil
}

// differing counts the elements of so many bits whose bits differ.
func differing(bits int, a, b []byte) (count int) {
	if bytes.Equal(a, b) {
		return 0
	}
	// A word has as many elements as fill bytes: one, two of 4 bits, four of 6 bits.
	inWord := 1
	for inWord*bits%8 != 0 {
		inWord *= 2
	}
	size, mask := inWord*bits/8, uint64(1)<<bits-1
	for i := 0; i < len(a); i += size {
		word := uint64(0)
		for k := range size {
			word |= uint64(a[i+k]^b[i+k]) << (8 * k)
		}
		for ; word != 0; word >>= bits {
			if word&mask != 0 {
				count++
			}
		}
	}
	return count
}

// decibels prints a ratio of signal to noise: inf without noise.
func decibels(signal, noise float64) string {
	if noise == 0 {
		return "inf"
	}
	return fmt.Sprintf("%.2f dB", 10*math.Log10(signal/noise))
}
