using System.Text;
using Weir.Mcp;

namespace Weir.Tests.Mcp;

/// <summary>Ids and progress tokens are compared as JSON's values.</summary>
public sealed class RpcIdsTests
{
    [Theory]
    [InlineData("24", "24.0")]
    [InlineData("24", "2.4e1")]
    [InlineData("24", "240E-1")]
    [InlineData("1", "1e0")]
    [InlineData("0", "-0")]
    [InlineData("0", "0.0e5")]
    [InlineData("-7", "-7.000")]
    [InlineData("9007199254740993", "9007199254740993.0")]
    [InlineData("123456789012345678901234567890", "1.2345678901234567890123456789e29")]
    [InlineData("\"a\"", "\"\\u0061\"")]
    [InlineData("\"/\"", "\"\\/\"")]
    public void R12_one_value_is_one_id_however_it_is_spelled(string one, string other)
    {
        RpcIds.AreEqual(Utf8(one), Utf8(other)).ShouldBeTrue();
        RpcIds.KeyOf(Utf8(one)).ShouldBe(RpcIds.KeyOf(Utf8(other)));
    }

    [Theory]
    [InlineData("24", "\"24\"")]
    [InlineData("24", "-24")]
    [InlineData("24", "2.4")]
    [InlineData("24", "240")]
    [InlineData("9007199254740993", "9007199254740992")]
    [InlineData("123456789012345678901234567890", "123456789012345678901234567891")]
    [InlineData("1e999999999999", "1e999999999998")]
    [InlineData("\"a\"", "\"A\"")]
    [InlineData("\"\\ud800\"", "\"\\ud801\"")]
    [InlineData("\"a\\\"b\"", "\"a\\\\\\\"b\"")]
    public void R12_two_values_are_two_ids(string one, string other) => RpcIds.AreEqual(Utf8(one), Utf8(other)).ShouldBeFalse();

    [Theory]
    [InlineData("24.0", 24)]
    [InlineData("2.4e1", 24)]
    [InlineData("-0", 0)]
    [InlineData("9223372036854775807", long.MaxValue)]
    [InlineData("9223372036854775807.0", long.MaxValue)]
    [InlineData("-9.223372036854775808e18", long.MinValue)]
    public void R12_a_whole_number_is_read_exactly(string token, long value)
    {
        RpcIds.TryReadInteger(Utf8(token), out var read).ShouldBeTrue();
        read.ShouldBe(value);
    }

    [Theory]
    [InlineData("24.5")]
    [InlineData("9223372036854775808")]
    [InlineData("1e19")]
    [InlineData("1e999999")]
    [InlineData("\"24\"")]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("")]
    public void R12_what_is_no_whole_number_that_fits_is_none(string token) => RpcIds.TryReadInteger(Utf8(token), out _).ShouldBeFalse();

    [Theory]
    [InlineData("1.0")]
    [InlineData("1e0")]
    [InlineData("-0")]
    [InlineData("10e-1")]
    [InlineData("123456789012345678901234567890")]
    public void R12_a_client_may_spell_its_id_as_json_allows(string id)
    {
        var body = Utf8($$"""{"jsonrpc":"2.0","id":{{id}},"method":"ping"}""");
        Encoding.UTF8.GetString(ClientMessageReader.Read(body).Id.Of(body)).ShouldBe(id);
    }

    private static byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text);
}
