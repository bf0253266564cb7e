using Microsoft.Extensions.Time.Testing;
using Weir.Errors;
using Weir.Identity;

namespace Weir.Tests.Identity;

public sealed class SigningKeysTests
{
    private const string Document = """{"keys":[{"kty":"RSA","kid":"k1","n":"AQAB","e":"AQAB"}]}""";

    private readonly FakeTimeProvider _time =
        new(DateTimeOffset.Parse("2026-11-22T12:00:00Z", System.Globalization.CultureInfo.InvariantCulture));

    [Fact]
    public async Task F07_a_fetch_that_failed_is_remembered_for_some_seconds()
    {
        var reads = 0;
        var keys = new SigningKeys(_ => { reads++; throw new HttpRequestException("away"); }, _time);

        await UnavailableAsync(keys);
        await UnavailableAsync(keys);
        reads.ShouldBe(1);

        _time.Advance(SigningKeys.AfterFailure + TimeSpan.FromSeconds(1));
        await UnavailableAsync(keys);
        reads.ShouldBe(2);
    }

    [Fact]
    public async Task F07_all_wait_for_the_one_fetch_that_runs_and_a_known_key_waits_for_none()
    {
        var reads = 0;
        var answer = new TaskCompletionSource<string>();
        answer.SetResult(Document);
        var keys = new SigningKeys(_ => { reads++; return answer.Task; }, _time);
        (await keys.GetAsync("k1", default)).Count.ShouldBe(1);
        answer = new TaskCompletionSource<string>();
        _time.Advance(TimeSpan.FromMinutes(2));

        var waiting = Enumerable.Range(0, 100).Select(i => keys.GetAsync($"unknown-{i}", default)).ToArray();
        (await keys.GetAsync("k1", default)).Count.ShouldBe(1);
        waiting.ShouldAllBe(w => !w.IsCompleted);
        answer.SetException(new HttpRequestException("away"));

        (await Task.WhenAll(waiting)).ShouldAllBe(k => k.Count == 1);
        reads.ShouldBe(2);
    }

    private static async Task UnavailableAsync(SigningKeys keys) =>
        (await Should.ThrowAsync<WeirException>(() => keys.GetAsync("k1", default))).Code.ShouldBe(ErrorCode.Unavailable);
}
