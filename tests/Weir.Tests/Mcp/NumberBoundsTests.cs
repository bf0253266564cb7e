using System.Text;
using Weir.Mcp;

namespace Weir.Tests.Mcp;

public sealed class NumberBoundsTests
{
    [Theory]
    [InlineData("0", true)]
    [InlineData("-1.5", true)]
    [InlineData("1e400", true)]
    [InlineData("1E+400", true)]
    [InlineData("1e-400", true)]
    [InlineData("1e401", false)]
    [InlineData("1e-401", false)]
    [InlineData("0e-401", false)]
    [InlineData("1e131000", false)]
    [InlineData("1e99999999999999999999", false)]
    [InlineData("1e-99999999999999999999", false)]
    public void F02_a_number_has_a_bounded_exponent(string number, bool isWithin) =>
    NumberBounds.Contain(Encoding.ASCII.GetBytes(number)).ShouldBe(isWithin);

    [Fact]
    public void F02_a_number_has_a_bounded_length()
    {
        NumberBounds.Contain(Encoding.ASCII.GetBytes(new string('9', 400))).ShouldBeTrue();
        NumberBounds.Contain(Encoding.ASCII.GetBytes(new string('9', 401))).ShouldBeFalse();
    }

    [Theory]
    [InlineData("""{"a": [1, {"b": 2.5e10}], "c": "1e131000"}""", true)]
    [InlineData("""{"a": [1, {"b": 1e131000}]}""", false)]
    [InlineData("1e131000", false)]
    [InlineData("[]", true)]
    public void F02_all_numbers_of_a_value_are_looked_at(string json, bool isWithin) =>
    NumberBounds.ContainAllOf(Encoding.UTF8.GetBytes(json)).ShouldBe(isWithin);
}
