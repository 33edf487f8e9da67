package tensorfile

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/lowbit-go/lowbit/internal/outfile"
)

// Open opens a regular file, and tells its size.
func Open(path string) (*os.File, int64, error) {
	// Asked before it is opened: to open a named pipe would wait for a writer.
	stat, err := os.Stat(path)
	if err != nil {
		return nil, 0, err
	}
	if err := outfile.CheckRegular(stat.Mode()); err != nil {
		return nil, 0, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	if stat, err = file.Stat(); err != nil {
		file.Close()
		return nil, 0, err
	}
	return file, stat.Size(), nil
}

// ReadFull fills buf from byte off on. That the file ends before is io.ErrUnexpectedEOF.
func ReadFull(r io.ReaderAt, buf []byte, off int64) error {
	n, err := r.ReadAt(buf, off)
	if n == len(buf) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return fmt.Errorf("file became shorter while it was read: %d bytes at %d, want %d: %w", n, off, len(buf), io.ErrUnexpectedEOF)
	}
	return outfile.Reason(err)
}

// CheckPiece makes sure that n bytes at off lie inside a tensor of so many.
func CheckPiece(size int64, n int, off int64) error {
	if off < 0 || off > size || int64(n) > size-off {
		return fmt.Errorf("%d bytes at %d lie outside its %d bytes", n, off, size)
	}
	return nil
}
