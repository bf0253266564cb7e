using Weir.Identity;

namespace Weir.Tests.Identity;

public sealed class AgentKeyTests
{
    [Fact]
    public void A_made_key_is_recognized_again()
    {
        var (text, id, _) = AgentKey.Create();
        AgentKey.Parse(text)!.Id.ShouldBe(id);
    }

    [Fact]
    public void A_key_with_any_character_changed_is_no_key()
    {
        var (text, _, _) = AgentKey.Create();
        for (var i = 0; i < text.Length; i++)
        {
            var changed = text[..i] + (text[i] == 'x' ? 'y' : 'x') + text[(i + 1)..];
            AgentKey.Parse(changed).ShouldBeNull($"position {i}");
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("weir_")]
    [InlineData("Bearer weir_x")]
    [InlineData("weir_aaaaaaaaaaaaaaaa_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA_AAAAAA")]
    public void Garbage_is_no_key(string text) => AgentKey.Parse(text).ShouldBeNull();
}
