using Microsoft.AspNetCore.Http;
using Weir.Server.Http;

namespace Weir.Tests.Http;

public sealed class BearerTests
{
    [Theory]
    [InlineData("Bearer abc", "abc")]
    [InlineData("bearer  abc ", "abc")]
    [InlineData("Bearer", null)]
    [InlineData("Bearer ", null)]
    [InlineData("Bearerabc", null)]
    [InlineData("Basic abc", null)]
    [InlineData("", null)]
    [InlineData(null, null)]
    public void A_token_is_what_follows_the_scheme(string? header, string? token) => Of(header is null ? [] : [header]).ShouldBe(token);

    [Fact]
    public void Of_two_headers_none_is_taken() => Of(["Bearer a", "Bearer b"]).ShouldBeNull();

    private static string? Of(string[] headers)
    {
        var http = new DefaultHttpContext();
        http.Request.Headers.Authorization = headers;
        return Bearer.Of(http.Request);
    }
}
