package codeformat

import "encoding/binary"

// Order is what kernels go by that take sixteen codes of so many bits, at most seven, out of a little-endian bit stream: for each of sixteen places the numbers
// of the two bytes in which the code lies that belongs there, and behind all these, for each, the 16-bit number that brings it to the top by a product.
func Order(bits int, code func(place int) int) (order [64]uint8) {
	for place := range 16 {
		bit := code(place) * bits
		order[2*place], order[2*place+1] = uint8(bit/8), uint8(bit/8+1)
		binary.LittleEndian.PutUint16(order[32+2*place:], 1<<(16-bits-bit%8))
	}
	return order
}
