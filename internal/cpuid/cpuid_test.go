package cpuid

import (
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// What Linux says of the processor is what it says of itself.
func TestAgainstLinux(t *testing.T) {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil || runtime.GOARCH != "amd64" || Maker() == "" {
		t.Skip("no Linux on amd64, or no assembly")
	}
	assert.Equal(t, string(regexp.MustCompile(`vendor_id\s*: (\S+)`).FindSubmatch(info)[1]), Maker())
	family, model := Model()
	assert.Equal(t, string(regexp.MustCompile(`cpu family\s*: (\d+)`).FindSubmatch(info)[1]), strconv.Itoa(family))
	assert.Equal(t, string(regexp.MustCompile(`model\s*: (\d+)`).FindSubmatch(info)[1]), strconv.Itoa(model))
	second, third := Caches()
	for index, got := range map[string]int{"index2": second, "index3": third} {
		size, err := os.ReadFile("/sys/devices/system/cpu/cpu0/cache/" + index + "/size")
		if err != nil {
			continue
		}
		k, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(string(size)), "K"))
		assert.NoError(t, err)
		assert.Equal(t, k<<10, got, index)
	}
}
