using System.Net;

namespace Weir.Tests.Rest;

/// <summary>What a Supabase project has and Weir has not is refused in the body that clients read, with the place that says why.</summary>
public sealed class RestRefusalTests(RestWorld weir) : IClassFixture<RestWorld>
{
    [Theory]
    [InlineData("POST", "agents", 405, "PGRST117", "writes")]
    [InlineData("PATCH", "agents?id=eq.1", 405, "PGRST117", "writes")]
    [InlineData("PUT", "agents?id=eq.1", 405, "PGRST117", "writes")]
    [InlineData("DELETE", "agents?id=eq.1", 405, "PGRST117", "writes")]
    [InlineData("GET", "agents?select=id,workspaces(name)", 400, "PGRST127", "embedding")]
    [InlineData("GET", "agents?select=...workspaces(name)", 400, "PGRST127", "embedding")]
    [InlineData("GET", "agents?workspaces.name=eq.x", 400, "PGRST108", "embedding")]
    [InlineData("GET", "agents?order=workspaces(name)", 400, "PGRST127", "embedding")]
    [InlineData("GET", "agents?select=count()", 400, "PGRST123", "refused")]
    [InlineData("GET", "agents?select=id.max()", 400, "PGRST123", "refused")]
    [InlineData("GET", "", 404, "PGRST126", "served")]
    [InlineData("GET", "a/b/c", 404, "PGRST125", "served")]
    [InlineData("GET", "/realtime/v1/websocket", 501, "WR010", "realtime")]
    [InlineData("POST", "/storage/v1/object/bucket/file", 501, "WR010", "storage")]
    public async Task It_is_refused_with_a_link(string method, string path, int status, string code, string anchor)
    {
        var reply = await weir.SendAsync(new HttpMethod(method), path, method == "POST" ? "{}" : null, weir.OwnerToken);

        reply.ShouldBeError((HttpStatusCode)status, code);
        reply.Hint!.ShouldEndWith($"See {RestWorld.PublicUrl}/docs/rest#{anchor}");
        (await weir.GetDocsAsync("rest")).ShouldContain($"id=\"{anchor}\"");
    }

    [Theory]
    [InlineData("Accept-Profile", "weir", "PGRST106")]
    [InlineData("Accept-Profile", "pg_catalog", "PGRST106")]
    [InlineData("Accept-Profile", "PUBLIC", "PGRST106")]
    [InlineData("Accept", "text/csv", "PGRST107")]
    [InlineData("Accept", "application/geo+json", "PGRST107")]
    [InlineData("Accept", "application/vnd.pgrst.plan+text", "PGRST107")]
    public async Task Another_schema_or_form_is_406(string header, string value, string code) =>
        (await weir.GetAsync("agents", null, (header, value))).ShouldBeError(HttpStatusCode.NotAcceptable, code);

    [Fact]
    public async Task A_call_in_another_schema_is_406() =>
        (await weir.RpcAsync("create_organization", "{}", null, ("Content-Profile", "weir"))).ShouldBeError(
            HttpStatusCode.NotAcceptable, "PGRST106");
}
