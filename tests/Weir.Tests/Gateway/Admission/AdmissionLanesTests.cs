using Microsoft.Extensions.Time.Testing;
using Weir.Gateway.Admission;

namespace Weir.Tests.Gateway.Admission;

public sealed class AdmissionLanesTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly AdmissionLanes _lanes;

    public AdmissionLanesTests() => _lanes = new AdmissionLanes(64, _time);

    [Fact]
    public void F04_an_organization_with_more_waiting_than_its_share_has_batches_of_its_own()
    {
        Add("flood", 50);
        Add("a", 2);
        Add("b", 16);
        Names(_lanes.Take()).ShouldBe(["a", "a", .. Enumerable.Repeat("b", 16)], "the others come first");
        var own = _lanes.Take();
        Names(own).ShouldBe(Enumerable.Repeat("flood", 50), "nobody else waits");
        _lanes.Count.ShouldBe(0);
    }

    [Fact]
    public void F04_an_organization_with_batches_of_its_own_has_one_at_a_time_and_a_share_while_others_wait()
    {
        Add("flood", 100);
        Add("a", 1);
        Names(_lanes.Take()).ShouldBe(["a"]);
        Add("a", 1);
        var own = _lanes.Take();
        Names(own).ShouldBe(Enumerable.Repeat("flood", 16));
        Names(_lanes.Take()).ShouldBe(["a"]);
        _lanes.Take().Calls.ShouldBeEmpty("its batch is being decided");
        _lanes.End(own);
        Names(_lanes.Take()).ShouldBe(Enumerable.Repeat("flood", 64));
    }

    [Fact]
    public void F04_an_organization_is_passed_over_once_and_not_for_ever()
    {
        Add("flood", 100);
        for (var i = 0; i < 4; i++)
        {
            Add("quiet", 1);
            var batch = _lanes.Take();
            Names(batch).Distinct().ShouldBe([i % 2 == 0 ? "quiet" : "flood"]);
            _lanes.End(batch);
        }
    }

    [Fact]
    public void F04_an_organizations_bytes_in_a_batch_are_bounded()
    {
        Add("large", 10, 100_000);
        Add("a", 1);
        Names(_lanes.Take()).ShouldBe(["a"]);
        var own = _lanes.Take();
        Names(own).ShouldBe(["large", "large"]);
        _lanes.End(own);
        Add("huge", 1, 10_000_000);
        Names(_lanes.Take()).ShouldBe(["large", "large"]);
        Names(_lanes.Take()).ShouldBe(["huge"], "one call is decided however large it is");
    }

    [Fact]
    public void F04_an_organization_whose_own_batch_failed_is_decided_alone_for_a_minute()
    {
        Add("evil", 1);
        var first = _lanes.Take();
        _lanes.Failed(Of("evil"));
        _lanes.End(first);
        Add("evil", 3);
        Add("other", 1);
        Add("worse", 1);
        var mixed = _lanes.Take();
        Names(mixed).ShouldBe(["other", "worse"]);
        _lanes.Failed(Of("worse"));
        _lanes.End(mixed);
        var alone = _lanes.Take();
        (Names(alone).Distinct().Single(), alone.IsAlone).ShouldBe(("evil", true));
        Add("worse", 1);
        _lanes.Take().Calls.ShouldBeEmpty("one such organization is decided at a time");
        _lanes.End(alone);
        Names(_lanes.Take()).ShouldBe(["worse"]);

        _time.Advance(TimeSpan.FromMinutes(2));
        Add("evil", 1);
        Add("other", 1);
        var after = _lanes.Take();
        (Names(after).Length, after.IsAlone).ShouldBe((2, false));
    }

    [Fact]
    public void Calls_whose_callers_stopped_waiting_are_left_out()
    {
        Add("a", 3);
        Add("b", 1);
        var all = _lanes.Take();
        _lanes.End(all);
        foreach (var call in all.Calls)
        {
            call.IsGivenUp = call.Call.Fairness == Of("a");
            _lanes.Enqueue(call);
        }

        Names(_lanes.Take()).ShouldBe(["b"]);
        _lanes.Count.ShouldBe(0);
    }

    private void Add(string organization, int calls, long bytes = 100)
    {
        for (var i = 0; i < calls; i++)
        {
            _lanes.Enqueue(new WaitingCall(AdmissionQueueTests.Call(organization, bytes: bytes)));
        }
    }

    private static string Of(string organization) => AdmissionQueueTests.Organization(organization).ToString();

    private static string[] Names(AdmissionBatch batch) =>
        [.. batch.Calls.Select(c => System.Text.Encoding.ASCII.GetString(c.Call.OrganizationId!.Value.ToByteArray()).TrimEnd())];
}
