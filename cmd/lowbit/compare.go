package main

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/lowbit-go/lowbit/safetensors"
)

// compareCommand is lowbit compare: how the tensors of two files differ.
type compareCommand struct {
	A string `arg:"" name:"A" help:"File to read, the one that is taken as exact."`
	B string `arg:"" name:"B" help:"File to hold against it."`
}

// Run compares tensor by tensor and piece by piece. Metadata and the order of tensors make no difference.
func (c *compareCommand) Run(t *tool) error {
	var files files
	defer files.close()
	a, b := files.open(c.A), files.open(c.B)
	if files.err != nil {
		return files.err
	}
	tensors := slices.Clone(a.Tensors())
	total := int64(0)
	for _, info := range b.Tensors() {
		if _, ok := a.Lookup(info.Name); ok {
			total += int64(info.Elements())
		} else {
			tensors = append(tensors, info)
		}
	}
	bar := newProgress(t.stderr, "compare", total, false)
	defer bar.end()
	job := &compareJob{crew: t.newCrew(t.workers), progress: bar, a: a, b: b}
	list := table{head: []string{"TENSOR", "DTYPE", "SHAPE", "BITS", ">MAX ABS ERROR", ">SQNR"}}
	differ := 0
	for _, info := range tensors {
		line, equal, err := job.compare(info.Name)
		if err != nil {
			return err
		}
		if !equal {
			differ++
		}
		list.add(append([]string{printable(info.Name)}, line...)...)
	}
	bar.end()
	if err := list.print(t.stdout); err != nil {
		return err
	}
	if differ > 0 {
		fmt.Fprintf(t.stdout, "\n%d of %s differ\n", differ, tensorCount(len(tensors)))
		return errDiffers
	}
	fmt.Fprintf(t.stdout, "\nall bits of %s are equal\n", tensorCount(len(tensors)))
	return nil
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

// compare returns a tensor's line of the table, without the name.
func (j *compareJob) compare(name string) (line []string, equal bool, err error) {
	x, inA := j.a.Lookup(name)
	y, inB := j.b.Lookup(name)
	switch {
	case !inA:
		return []string{y.DType.String(), y.Shape.String(), "only in B", "", ""}, false, nil
	case !inB:
		return []string{x.DType.String(), x.Shape.String(), "only in A", "", ""}, false, nil
	}
	dtype, shape := x.DType.String(), x.Shape.String()
	if x.DType != y.DType {
		dtype += ", " + y.DType.String()
	}
	if x.Shape != y.Shape {
		return []string{dtype, shape + ", " + y.Shape.String(), "differ", "", ""}, false, nil
	}
	d, err := j.measure(x, y)
	if err != nil {
		return nil, false, err
	}
	bits := "equal"
	switch {
	case x.DType != y.DType:
		bits = "differ"
	case d.bits > 0:
		bits = fmt.Sprintf("%d of %d differ", d.bits, x.Elements())
	}
	worst, sqnr := "", ""
	if bits == "equal" || numeric(x.DType) && numeric(y.DType) {
		worst, sqnr = strconv.FormatFloat(d.worst, 'g', 6, 64), decibels(d.signal, d.noise)
	}
	return []string{dtype, shape, bits, worst, sqnr}, bits == "equal", nil
}

// difference is what compare finds out about a tensor, or a piece of it. Elements that are the same NaN or infinity in both are left out.
type difference struct {
	bits          int     // number of elements whose bits differ, if the types are the same
	worst         float64 // largest absolute difference, NaN if a NaN is held against a number
	signal, noise float64 // sums of the squares of A's elements and of the differences
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
	for _, d := range pieces {
		sum.bits += d.bits
		sum.worst = max(sum.worst, d.worst) // NaN stays
		sum.signal += d.signal
		sum.noise += d.noise
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
		w := c.values[1][i]
		if v == w && math.IsInf(v, 0) || v != v && w != w {
			continue
		}
		e := math.Abs(v - w)
		d.worst = max(d.worst, e)
		d.signal += v * v
		d.noise += e * e
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
