using System.Text.Json;
using Weir.Nodes;

namespace Weir.Tests.Nodes;

public sealed class LogMaskTests
{
    private static readonly JsonElement Configuration = JsonSerializer.SerializeToElement(new
    {
        token = "s3cret-token", password = "pa\"ss\\wörd", key = "line one\nline two", pin = 271828, open = "shown", list = new[] { "first-item" },
        nested = new { deep = "deep-value", open = "seen" },
    });

    private static readonly JsonElement Schema = JsonElement.Parse("""
        {"type": "object", "properties": {"key": {"writeOnly": true}, "pin": {"writeOnly": true}, "open": {}, "list": {"items": {"writeOnly": true}},
         "nested": {"properties": {"deep": {"writeOnly": true}, "open": {}}}}}
        """);

    private static readonly LogMask Mask = LogMask.Of(
        JsonSerializer.SerializeToElement(new { TOKEN = "${config.token}", PASSWORD = "${config.password}", FILES = "${instanceDir}/data", MODE = "on" }),
        Configuration, Schema);

    public static TheoryData<string, string> Lines => new()
    {
        { "token=s3cret-token.", "token=***." },
        { "s3cret-tokens3cret-token", "******" },
        { "it is pa\"ss\\wörd", "it is ***" },
        { JsonSerializer.Serialize(new { t = "pa\"ss\\wörd" }), """{"t":"***"}""" },
        { """{"t":"pa\"ss\\wörd"}""", """{"t":"***"}""" },
        { "GET /?p=" + Uri.EscapeDataString("pa\"ss\\wörd"), "GET /?p=***" },
        { "line two", "***" },
        { "pin 271828", "pin ***" },
        { "first-item", "***" },
        { "deep-value and seen", "*** and seen" },
        { "/var/lib/x/data", "/var/lib/x***" },
        { "shown", "shown" },
        { "on and on", "on and on" },
    };

    [Theory]
    [MemberData(nameof(Lines))]
    public void Values_of_the_environment_and_of_what_is_written_only_are_masked_however_they_are_spelled(string printed, string shown) =>
        Mask.Apply(printed).ShouldBe(shown);

    [Fact]
    public void The_beginning_of_a_value_at_the_end_of_a_line_that_was_cut_is_masked()
    {
        var line = new string('x', 8 * 1024) + " s3cret-to";
        Mask.Apply(line).ShouldEndWith("x ***");
        Mask.Apply(line + "…").ShouldEndWith("x ***");
        Mask.Apply("s3cret-to").ShouldBe("s3cret-to");
    }

    [Fact]
    public void Where_the_environment_cannot_be_made_every_value_of_the_configuration_is_masked() =>
        LogMask.Of(JsonSerializer.SerializeToElement(new { A = "${config.absent}" }), Configuration, JsonElement.Parse("{}")).Apply("s3cret-token shown").ShouldBe("*** ***");
}
