// Package scan looks through parameters: for short groups that is a part of the work.
package scan

import "math"

// Bits are those that any of the numbers has.
func Bits(x []float32) (bits uint32) {
	for ; len(x) >= 4; x = x[4:] {
		bits |= math.Float32bits(x[0]) | math.Float32bits(x[1]) | (math.Float32bits(x[2]) | math.Float32bits(x[3]))
	}
	for _, v := range x {
		bits |= math.Float32bits(v)
	}
	return bits
}

// Zeros reports whether all are 0.
func Zeros(z []int32) bool {
	for ; len(z) >= 8; z = z[8:] {
		if z[0]|z[1]|z[2]|z[3]|z[4]|z[5]|z[6]|z[7] != 0 {
			return false
		}
	}
	for _, x := range z {
		if x != 0 {
			return false
		}
	}
	return true
}

// Outside returns the index of the first that is outside lo..hi, or -1.
func Outside(z []int32, lo, hi int32) int {
	if lo <= 0 && hi >= 0 && Zeros(z) { // the usual case, and the fastest to find out
		return -1
	}
	// In unsigned arithmetic one comparison does for both ends.
	i, width := 0, uint32(hi-lo)
	for ; i+4 <= len(z); i += 4 {
		q := z[i : i+4 : i+4]
		if uint32(q[0]-lo) > width || uint32(q[1]-lo) > width || uint32(q[2]-lo) > width || uint32(q[3]-lo) > width {
			break
		}
	}
	for ; i < len(z); i++ {
		if uint32(z[i]-lo) > width {
			return i
		}
	}
	return -1
}
