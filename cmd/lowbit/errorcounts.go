package main

import "math"

// errorBins is how many bins errors are counted in.
const errorBins = 64

// errorCounts counts errors in bins of one width, between -2^exponent and 2^exponent.
type errorCounts struct {
	exponent int
	counts   [errorBins]int
}

// countErrors counts differences, the largest of which is given.
func countErrors(errors []float64, worst float64) *errorCounts {
	var c errorCounter
	c.count(errors, worst)
	return c.counts()
}

// errorCounter counts errors part by part.
type errorCounter struct {
	zeros    int // before any other
	exponent int
	scale    float64              // 0 before there is an exponent
	four     [4][errorBins]uint32 // neighbours, which are often alike, are counted apart: the processor need not wait for the one before
	closed   *errorCounts         // of lesser exponents
}

// count counts differences. The largest of them and of those before is given.
func (c *errorCounter) count(errors []float64, worst float64) {
	if worst == 0 {
		c.zeros += len(errors)
		return
	}
	_, exponent := math.Frexp(worst) // worst < 2^exponent
	if exponent = max(exponent, -900); c.scale == 0 || exponent > c.exponent {
		c.close()
		// Bins begin at whole numbers of 2^57.
		c.exponent, c.scale = exponent, math.Ldexp(errorBins/2, 57-exponent)
	}
	scale, four := c.scale, &c.four
	bin := func(d float64) uint64 { return uint64(int64(d*scale)>>57+errorBins/2) % errorBins }
	for ; len(errors) >= 4; errors = errors[4:] {
		four[0][bin(errors[0])]++
		four[1][bin(errors[1])]++
		four[2][bin(errors[2])]++
		four[3][bin(errors[3])]++
	}
	for _, d := range errors {
		four[0][bin(d)]++
	}
}

// close ends the counts with an exponent.
func (c *errorCounter) close() {
	if c.scale == 0 {
		return
	}
	e := &errorCounts{exponent: c.exponent}
	for i := range e.counts {
		e.counts[i] = int(c.four[0][i]) + int(c.four[1][i]) + int(c.four[2][i]) + int(c.four[3][i])
	}
	if c.closed != nil {
		e.add(c.closed)
	}
	c.closed, c.four = e, [4][errorBins]uint32{}
}

// counts are those of all errors.
func (c *errorCounter) counts() *errorCounts {
	if c.close(); c.closed == nil {
		c.closed = &errorCounts{}
	}
	c.closed.counts[errorBins/2] += c.zeros
	return c.closed
}

// add adds those of another piece, in bins that hold both.
func (e *errorCounts) add(other *errorCounts) {
	to := max(e.exponent, other.exponent)
	var sum [errorBins]int
	for _, part := range []*errorCounts{e, other} {
		for i, n := range part.counts {
			at := i - errorBins/2
			sum[at>>min(to-part.exponent, 62)+errorBins/2] += n
		}
	}
	e.exponent, e.counts = to, sum
}
