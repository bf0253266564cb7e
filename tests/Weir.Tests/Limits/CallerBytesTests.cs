using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Weir.Errors;
using Weir.Limits;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Limits;

public sealed class CallerBytesTests
{
    private const int KiB = 1024;

    [Fact]
    public void F05_a_caller_holds_no_more_than_its_bound_and_no_more_than_is_left_for_others()
    {
        var held = new CallerBytes(mostPerCaller: 40, most: 100);
        using var first = held.Open("first");
        first.Take(40);
        Refused(held.Open("first"), 1);
        using var second = held.Open("second");
        second.Take(30);
        Refused(second, 1);

        using var bystander = held.Open("bystander");
        bystander.Take(15);
        bystander.Dispose();
        bystander.Dispose();
        held.HeldBy("bystander").ShouldBe(0);
        first.Dispose();
        held.HeldBy("first").ShouldBe(0);
        second.Take(10);
        held.HeldBy("second").ShouldBe(40);
    }

    [Fact]
    public async Task F03_a_body_takes_memory_as_it_comes_and_not_as_it_is_announced()
    {
        var held = new CallerBytes(mostPerCaller: 1024 * KiB, most: 4096 * KiB);
        var (reading, pipe) = Read(held, announced: 1000 * KiB);

        await SendAsync(pipe, 100 * KiB);
        await Until.True(() => held.HeldBy("caller") > 0, "what came is counted");
        held.HeldBy("caller").ShouldBeInRange(100 * KiB, 200 * KiB);

        await SendAsync(pipe, 900 * KiB);
        await pipe.Writer.CompleteAsync();
        (await reading)!.Value.Length.ShouldBe(1000 * KiB);
        held.HeldBy("caller").ShouldBeInRange(1000 * KiB, 1000 * KiB, "until the request is over");
    }

    [Fact]
    public async Task F03_a_body_that_there_is_no_room_for_is_refused_while_it_is_read()
    {
        var held = new CallerBytes(mostPerCaller: 128 * KiB, most: 1024 * KiB);
        var (reading, pipe) = Read(held, announced: 1000 * KiB);

        await SendAsync(pipe, 200 * KiB);

        (await Should.ThrowAsync<WeirException>(reading)).Code.ShouldBe(ErrorCode.RateLimited);
    }

    [Fact]
    public async Task F03_a_body_that_came_whole_takes_nothing()
    {
        var held = new CallerBytes(mostPerCaller: 0, most: 0);
        var pipe = new Pipe();
        pipe.Writer.Write(new byte[10 * KiB]);
        await pipe.Writer.CompleteAsync();

        (await Read(held, announced: 10 * KiB, pipe).Reading)!.Value.Length.ShouldBe(10 * KiB);
    }

    private static (Task<ReadOnlyMemory<byte>?> Reading, Pipe Pipe) Read(CallerBytes held, long announced, Pipe? pipe = null)
    {
        pipe ??= new Pipe(new PipeOptions(pauseWriterThreshold: 0));
        var http = new DefaultHttpContext();
        http.Features.Set<IRequestBodyPipeFeature>(new Body(pipe.Reader));
        http.Request.ContentLength = announced;
        return (held.ReadBodyAsync(http.Request, 1024 * KiB, "caller", CancellationToken.None).AsTask(), pipe);
    }

    private static async Task SendAsync(Pipe pipe, int bytes) => await pipe.Writer.WriteAsync(new byte[bytes]);

    private static void Refused(CallerBytes.Account account, long bytes) =>
        Should.Throw<WeirException>(() => account.Take(bytes)).Code.ShouldBe(ErrorCode.RateLimited);

    private sealed record Body(PipeReader Reader) : IRequestBodyPipeFeature;
}
