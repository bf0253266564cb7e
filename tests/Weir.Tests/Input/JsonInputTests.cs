using System.Text;
using System.Text.Json;
using Weir.Input;
using Weir.Nodes;

namespace Weir.Tests.Input;

public sealed class JsonInputTests
{
    [Theory]
    [InlineData("""{"\ud800":1}""")]
    [InlineData("""{"a":"\udc00"}""")]
    [InlineData("""{"a":"\ud800x\udc00"}""")]
    [InlineData("""{"a":"\ud800\ud800\udc00"}""")]
    [InlineData("""{"a":"\u0000"}""")]
    [InlineData("""{"\u0000":1}""")]
    [InlineData("""{"a":1,"a":2}""")]
    [InlineData("""{"a":1,"\u0061":2}""")]
    [InlineData("""{"a":1,}""")]
    [InlineData("{}{}")]
    [InlineData("")]
    [InlineData("\ufeff{}")]
    [InlineData("[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]")]
    public void F06_what_is_refused_is_a_result_and_not_an_exception(string json)
    {
        JsonInput.TryParse(Encoding.UTF8.GetBytes(json), JsonBounds.Small, out var document, out var problem).ShouldBeFalse();
        document.ShouldBeNull();
        problem.ShouldNotBeEmpty();
        JsonInput.TryRead(Encoding.UTF8.GetBytes(json), JsonBounds.Small, NodeJson.Default.RegisterRequest, out _, out _).ShouldBeFalse();
    }

    [Theory]
    [InlineData((byte)0xFF)]
    [InlineData((byte)0xC0)]
    [InlineData((byte)0x80)]
    public void F06_bytes_that_are_no_utf8_are_refused(byte odd) =>
        JsonInput.TryParse(new byte[] { (byte)'"', odd, (byte)'"' }, JsonBounds.Small, out _, out _).ShouldBeFalse();

    [Fact]
    public void A_pair_of_surrogates_is_one_character()
    {
        JsonInput.TryParse("""{"a":"\ud83d\ude00"}"""u8.ToArray(), JsonBounds.Small, out var document, out var problem)
            .ShouldBeTrue(problem);
        document!.RootElement.GetProperty("a").GetString().ShouldBe("😀");
    }

    [Fact]
    public void F03_an_array_of_small_objects_is_refused_by_its_count_before_it_is_parsed()
    {
        var body = Encoding.UTF8.GetBytes("{\"servers\":[" + string.Join(',', Enumerable.Repeat("{}", 600)) + "]}");

        JsonInput.Check(body, JsonBounds.Small).ShouldBe("holds more than 1024 values.");
        JsonInput.Check(body, JsonBounds.Small with { Values = 2000 }).ShouldBeNull();
    }

    [Theory]
    [InlineData("""{"servers":1}""")]
    [InlineData("""{"apiUrl":null,"status":null,"servers":null}""")]
    [InlineData("""{"servers":[{"id":"x"}]}""")]
    [InlineData("""{"servers":[{"generation":1e400}]}""")]
    [InlineData("null")]
    public void F06_a_value_of_a_wrong_type_is_a_result_too(string json)
    {
        JsonInput.TryRead(Encoding.UTF8.GetBytes(json), JsonBounds.Small, NodeJson.Default.HeartbeatRequest, out var value, out var problem)
            .ShouldBeFalse();
        value.ShouldBeNull();
        problem.ShouldNotContain("System.");
    }

    [Theory]
    [InlineData("""["\ud800"]""", """["\ufffd"]""")]
    [InlineData("""["a\udc00b\ud83d\ude00\ud83d"]""", """["a\ufffdb\ud83d\ude00\ufffd"]""")]
    [InlineData("""["\ud83d\n\ude00"]""", """["\ufffd\n\ufffd"]""")]
    [InlineData("""["\ud83d\ud83d\ude00"]""", """["\ufffd\ud83d\ude00"]""")]
    [InlineData("""["\\ud800"]""", """["\\ud800"]""")]
    [InlineData("""{"\uDBFF":"\uD83D\uDE00"}""", """{"\ufffd":"\uD83D\uDE00"}""")]
    [InlineData("\"\\", "\"\\")]
    [InlineData("\"\\ud8", "\"\\ud8")]
    public void F06_what_a_server_cut_in_the_middle_of_a_character_is_mended(string json, string mended)
    {
        var bytes = Encoding.UTF8.GetBytes(json);
        var answer = JsonText.WithoutHalfPairs(bytes);

        Encoding.UTF8.GetString(answer.Span).ShouldBe(mended);
        Encoding.UTF8.GetString(bytes).ShouldBe(json, "the bytes of before are left alone");
    }

    [Fact]
    public void F06_no_text_of_random_escapes_makes_the_reader_of_json_throw()
    {
        var random = new Random(20261130);
        string[] parts = [
            "\\ud800", "\\udbff", "\\udc00", "\\udfff", "\\u0000", "\\u0041", "\\\\", "\\\"", "\\n", "u", "d800", "a", "é", "😀",
        ];
        for (var i = 0; i < 5000; i++)
        {
            var text = "[\"" + string.Concat(Enumerable.Range(0, random.Next(8)).Select(_ => parts[random.Next(parts.Length)])) + "\"]";
            var mended = JsonText.WithoutHalfPairs(Encoding.UTF8.GetBytes(text));
            JsonElement.Parse(mended.Span)[0].GetString().ShouldNotBeNull(text);
            if (JsonInput.TryParse(Encoding.UTF8.GetBytes(text), JsonBounds.Small, out var document, out _))
            {
                TextInput.IsStorable(document.RootElement[0].GetString()!).ShouldBeTrue(text);
            }
        }
    }
}
