package gguf

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"github.com/lowbit-go/lowbit/internal/tensorfile"
)

// scanner reads the front of a file, up to the tensors' data, in order.
type scanner struct {
	r    io.ReaderAt
	size int64 // of the file
	pos  int64 // of the next byte
	buf  [16 << 10]byte
	have []byte // what was read and is not yet taken
}

// left is the number of bytes that are not yet taken.
func (s *scanner) left() int64 { return s.size - s.pos }

// take returns the next n bytes, at most the buffer's, which stay there until the next call.
func (s *scanner) take(n int) ([]byte, error) {
	if int64(n) > s.left() {
		return nil, s.failf("%d bytes are wanted, the file ends after %d", n, s.left())
	}
	if s.pos+int64(n) > maxFront {
		return nil, s.failf("metadata and tensor infos are over the limit of %d bytes", maxFront)
	}
	if len(s.have) < n {
		kept := copy(s.buf[:], s.have)
		want := min(int64(len(s.buf)), s.size-s.pos)
		if err := tensorfile.ReadFull(s.r, s.buf[kept:want], s.pos+int64(kept)); err != nil {
			return nil, err
		}
		s.have = s.buf[:want]
	}
	b := s.have[:n]
	s.have = s.have[n:]
	s.pos += int64(n)
	return b, nil
}

func (s *scanner) uint8() (uint8, error) {
	b, err := s.take(1)
	if err != nil {
		return 0, err
	}
	return b[0], nil
}

func (s *scanner) int8() (int8, error) {
	v, err := s.uint8()
	return int8(v), err
}

func (s *scanner) uint16() (uint16, error) {
	b, err := s.take(2)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint16(b), nil
}

func (s *scanner) int16() (int16, error) {
	v, err := s.uint16()
	return int16(v), err
}

func (s *scanner) uint32() (uint32, error) {
	b, err := s.take(4)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint32(b), nil
}

func (s *scanner) int32() (int32, error) {
	v, err := s.uint32()
	return int32(v), err
}

func (s *scanner) float32() (float32, error) {
	v, err := s.uint32()
	return math.Float32frombits(v), err
}

func (s *scanner) uint64() (uint64, error) {
	b, err := s.take(8)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(b), nil
}

func (s *scanner) int64() (int64, error) {
	v, err := s.uint64()
	return int64(v), err
}

func (s *scanner) float64() (float64, error) {
	v, err := s.uint64()
	return math.Float64frombits(v), err
}

func (s *scanner) bool() (bool, error) {
	v, err := s.uint8()
	if err == nil && v > 1 {
		err = s.failf("bool with the byte %d", v)
	}
	return v == 1, err
}

func (s *scanner) string() (string, error) {
	n, err := s.uint64()
	if err != nil {
		return "", err
	}
	if n > uint64(s.left()) {
		return "", s.failf("string of %d bytes, where %d are left", n, s.left())
	}
	if n <= uint64(len(s.buf)) {
		b, err := s.take(int(n))
		return string(b), err
	}
	text := make([]byte, 0, len(s.buf))
	for n > 0 {
		b, err := s.take(int(min(n, uint64(len(s.buf)))))
		if err != nil {
			return "", err
		}
		text = append(text, b...)
		n -= uint64(len(b))
	}
	return string(text), nil
}

// failf names the byte behind what is wrong.
func (s *scanner) failf(format string, args ...any) error {
	return fmt.Errorf("byte %d: "+format, append([]any{s.pos}, args...)...)
}
